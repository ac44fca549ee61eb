"""The chart says what the code says, and its documents what its schema says."""

import json
import re

import pytest
import yaml

from bridge import __version__
from bridge.config import Settings
from bridge.kafka.topics import load_all, load_outputs
from bridge.streams import SINKS, SOURCES
from tests.helm.chart import CHART, CI, ROOT, USE_CASES, manifests, of_kind
from tests.helm.chart_topics import page
from tests.helm.described import SCHEMA, VALUES, Path, chosen_by_users, comments, described, schema_of
from tests.helm.values import least
from tests.telemetry.in_use import used

pytestmark = pytest.mark.docs_agree

SCHEMA_OF_VALUES = json.loads(SCHEMA.read_text())
DEFAULTS = yaml.safe_load(VALUES.read_text())
TEMPLATES = "\n".join(path.read_text() for path in sorted(CHART.rglob("templates/**/*.*")))


def properties(*path: str) -> set[Path]:
    """All keys that the schema knows below this one."""
    part = schema_of(SCHEMA_OF_VALUES, path)
    name = part.get("$ref", "").rsplit("/", 1)[-1]
    part = SCHEMA_OF_VALUES["definitions"][name] if name else part
    inner = part.get("properties", {})
    return {each for key in inner for each in ((*path, key), *properties(*path, key))}


def test_chart_and_package_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_topics_are_those_of_the_code() -> None:
    topics = (CHART / "files" / "topics.yaml").read_text()
    assert topics == page(), (
        "run: python -m tests.helm.chart_topics > helm/productiv-bridge/files/topics.yaml"
    )


def test_the_schema_describes_values_as_their_comments_do() -> None:
    assert described(SCHEMA_OF_VALUES) == SCHEMA_OF_VALUES, "run: python -m tests.helm.described"


def test_every_value_is_documented() -> None:
    for path, comment in comments().items():
        assert comment or schema_of(SCHEMA_OF_VALUES, path).get("description"), path


def test_every_value_of_the_schema_stands_in_the_file_of_values() -> None:
    """Those of pod and autoscaling stand there once, and those of `external` in the schema alone."""
    listed = {path for path in comments() if not chosen_by_users(SCHEMA_OF_VALUES, path)}
    probes = {("probes", name) for name in ("startup", "liveness", "readiness")}
    in_flow = {"requests", "limits", "claims", "seccompProfile", "capabilities", "runAsNonRoot"}
    known = {
        path for path in properties() if path[:2] not in probes or len(path) == 2 if path[-1] not in in_flow
    }
    assert known <= listed


def test_the_streams_are_those_of_the_code() -> None:
    streams = schema_of(SCHEMA_OF_VALUES, ("deployments", "sinks", "streams"))["items"]["enum"]
    assert streams == [*SINKS, *SOURCES]
    partitions = schema_of(SCHEMA_OF_VALUES, ("topics", "partitions"))["propertyNames"]["enum"]
    assert set(partitions) == {*load_all(), *load_outputs()}
    assert DEFAULTS["deployments"]["sinks"]["streams"] == list(SINKS)


def test_defaults_that_stand_in_templates_are_those_of_the_code() -> None:
    settings = Settings()
    assert f'dig "http" "port" {settings.http.port}' in TEMPLATES
    assert f'dig "kafka" "group_prefix" "{settings.kafka.group_prefix}"' in TEMPLATES
    assert f"$config.shutdown_deadline_seconds | default {settings.shutdown_deadline_seconds:g} " in TEMPLATES
    assert f'dig "sinks" "org_chart" "mode" "{settings.sinks["org_chart"].model_dump()["mode"]}"' in TEMPLATES
    assert f"({settings.shutdown_deadline_seconds:g})" in comments()[("terminationGracePeriodSeconds",)]


def test_the_metric_that_scales_is_one_of_the_bridge() -> None:
    metrics = {metric.name: metric for metric in used()[0].registry.collect()}
    lag = metrics[DEFAULTS["autoscaling"]["hpa"]["metric"]]
    assert {name for sample in lag.samples for name in sample.labels} == {"stream"}


def test_every_use_case_is_rendered_and_no_other() -> None:
    rendered = {path.name for path in (CI / "rendered").iterdir()}
    assert rendered == {path.name for path in CI.glob("*.yaml")}


def test_every_use_case_is_in_the_document() -> None:
    document = (ROOT / "docs" / "helm.md").read_text()
    assert set(
        re.findall(r"^\| \[`([\w-]+)`\]\(\.\./helm/productiv-bridge/ci/\1\.yaml\)", document, re.MULTILINE)
    ) == set(USE_CASES)


def test_the_example_in_the_document_can_be_used() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "helm.md").read_text(), re.DOTALL)
    deployments = of_kind(manifests(least(**yaml.safe_load(example))), "Deployment")
    assert {name: each["spec"]["replicas"] for name, each in deployments.items()} == {
        "usage": 4,
        "sinks": 1,
        "sources": 2,
    }
