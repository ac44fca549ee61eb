"""The Helm chart, rendered by Helm's own engine. python -m tests.helm.chart writes ci/rendered/."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "productiv-bridge"
CI = CHART / "ci"
USE_CASES = {path.stem: path for path in sorted(CI.glob("*.yaml"))}

Manifest = dict[str, Any]


class Refused(Exception):
    """Helm refuses the values, and says why."""


def values_of(use_case: str) -> dict[str, Any]:
    """The values of a use case."""
    values: dict[str, Any] = yaml.safe_load(USE_CASES[use_case].read_text())
    return values


def rendered(use_case: str) -> str:
    """What is committed of a use case: all but alerts and dashboards, which are files of their own."""
    return render(values_of(use_case), without=("rules.yaml", "dashboards.yaml"))


def render(values: dict[str, Any], chart: Path = CHART, without: tuple[str, ...] = ()) -> str:
    """All that the chart makes of these values, each template under its name, `without` those named so.

    Raises:
        Refused: the values cannot be used.
    """
    helm = _helm()
    try:
        with helm.Chart.load(chart) as loaded:
            loaded.validate_schema(values)
            made = loaded.render(values, name="bridge", namespace="productiv", is_install=True)
    except helm.HelmError as error:
        raise Refused(str(error)) from None
    wanted = (path for path in sorted(made) if path.endswith(".yaml") and not path.endswith(without))
    files = ((path, made[path].strip()) for path in wanted)
    parts = (f"# Source: {path}\n{text.removeprefix('---').strip()}\n" for path, text in files if text)
    return "---\n".join(parts)


def notes(values: dict[str, Any]) -> str:
    """What Helm tells after an install."""
    with _helm().Chart.load(CHART) as loaded:
        made = loaded.render(values, name="bridge", namespace="productiv")
    return str(made["productiv-bridge/templates/NOTES.txt"])


def manifests(values: dict[str, Any], chart: Path = CHART) -> list[Manifest]:
    """The resources that the chart makes of these values."""
    return [manifest for manifest in yaml.safe_load_all(render(values, chart)) if manifest]


def of_kind(found: list[Manifest], kind: str) -> dict[str, Manifest]:
    """The resources of a kind, by what their names have after the release's and the chart's."""
    names = {each["metadata"]["name"]: each for each in found if each["kind"] == kind}
    return {
        name.removeprefix("bridge-productiv-bridge").removeprefix("-"): each for name, each in names.items()
    }


def lint(values: dict[str, Any]) -> list[str]:
    """What Helm finds wrong with the chart and these values, remarks left out."""
    messages = _helm().lint(CHART, values, strict=True)["messages"]
    return [message["error"] for message in messages if message["severity"] > 1]


def _helm() -> Any:
    try:
        return import_module("helm_python")
    except (ImportError, OSError) as error:  # there are wheels for x86-64, and for macOS on Apple silicon
        pytest.skip(f"no Helm: helm-python-sdk cannot be used here ({error})")


if __name__ == "__main__":
    for name in USE_CASES:
        (CI / "rendered" / f"{name}.yaml").write_text(rendered(name))
