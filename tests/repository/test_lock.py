"""The lock files fit pyproject.toml, and nobody's package index stands in them."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME: list[str] = PYPROJECT["project"]["dependencies"]
TRACING: list[str] = PYPROJECT["project"]["optional-dependencies"]["tracing"]
DEV: list[str] = PYPROJECT["project"]["optional-dependencies"]["dev"]
BUILD: list[str] = PYPROJECT["dependency-groups"]["build"]

pytestmark = pytest.mark.docs_agree


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]) for line in requirements}


def pins(lock: str) -> dict[str, str]:
    """What a lock file pins: name to version. Continuation lines are joined to their requirement."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    for line in lines:
        assert re.fullmatch(r"\S+==\S+ .*?(--hash=sha256:[0-9a-f]{64}\s*)+", line), (
            f"not pinned with a hash: {line}"
        )
    return {normal(name): version for name, version in (line.split()[0].split("==") for line in lines)}


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.txt", RUNTIME),
        ("requirements-tracing.txt", RUNTIME + TRACING),
        ("requirements-dev.txt", RUNTIME + TRACING + DEV),
        ("requirements-build.txt", PYPROJECT["build-system"]["requires"]),
    ],
)
def test_everything_is_pinned(lock: str, wanted: list[str]) -> None:
    assert names(wanted) <= pins(lock).keys(), "run 'make lock'"


def test_the_locks_agree_with_each_other() -> None:
    """They are installed into one environment, one after the other."""
    everything = pins("requirements-dev.txt")
    for lock in ("requirements.txt", "requirements-tracing.txt", "requirements-build.txt"):
        for name, version in pins(lock).items():
            assert everything.get(name, version) == version


def test_the_build_group_is_what_the_build_requires() -> None:
    assert PYPROJECT["build-system"]["requires"] == BUILD


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.txt")))
def test_no_package_index_is_named(lock: str) -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", (ROOT / lock).read_text())
