"""Dashboards, alerts and the runbook say what there is, and say it completely."""

import re
from pathlib import Path
from typing import Any

import pytest

from bridge.telemetry.declarations import DECLARED
from tests.operations.dashboards import DASHBOARDS
from tests.operations.dashboards.grafana import FOLDER, text
from tests.operations.queries import ALERTS, Query, of_alerts, of_panels, panels

pytestmark = pytest.mark.docs_agree

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs" / "runbook.md"
QUERIES = [*of_panels(), *of_alerts()]
SHOWN = {
    shown: declared
    for declared in DECLARED.values()
    for shown in (
        [f"{declared.name}_{part}" for part in ("bucket", "sum", "count")]
        if declared.kind == "histogram"
        else [declared.shown]
    )
}
PARTS = {"What it means", "What to look at", "What to do", "What not to do"}
# What Prometheus itself puts on each series.
SCRAPED = {"namespace", "instance", "le"}


def sections(heading: str) -> dict[str, str]:
    """The sections of the runbook under headings of this depth."""
    found = re.split(rf"^{heading} (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_the_dashboards_are_what_their_declarations_make() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == DASHBOARDS.keys()
    for name, dashboard in DASHBOARDS.items():
        written = (FOLDER / f"{name}.json").read_text()
        assert written == text(name, dashboard), "run: python -m tests.operations.dashboards"


PANELS = {f"{path.stem}: {panel['title']}": panel for path in FOLDER.iterdir() for panel in panels(path)}


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_each_panel_has_a_description_a_unit_and_the_chosen_data_source(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
        chosen = len(re.findall(r'{namespace=~"\$namespace"', target["expr"]))
        assert chosen == len(re.findall(r"\bbridge_", target["expr"])), "each metric in the chosen namespace"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_lie_side_by_side(name: str) -> None:
    places = [panel["gridPos"] for panel in panels(FOLDER / f"{name}.json")]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_a_query_uses_metrics_and_labels_that_exist(query: Query) -> None:
    assert query.metrics <= SHOWN.keys()
    labels = {label for name in query.metrics for label in SHOWN[name].labels} | SCRAPED
    matched = set(re.findall(r'(\w+)(?:=~|!~|!=|=)"', query.expression))
    grouped = {
        label.strip()
        for group in re.findall(r"by \(([^)]*)\)", query.expression)
        for label in group.split(",")
    }
    assert matched | grouped <= labels | {"stream"}


def test_each_metric_is_on_a_dashboard_or_in_an_alert() -> None:
    used = {SHOWN[name].name for query in QUERIES for name in query.metrics}
    assert DECLARED.keys() - used == set()


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_leads_to_its_section_of_the_runbook(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert set(re.findall(r"^\*\*(.+?)\.\*\*", sections("###")[name], re.MULTILINE)) == PARTS


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    assert {name for name in sections("###") if name.startswith("ProductivBridge")} == ALERTS.keys()


def test_metrics_that_the_runbook_names_exist() -> None:
    named = set(re.findall(r"`(bridge_\w+)", RUNBOOK.read_text()))
    assert named <= SHOWN.keys()
