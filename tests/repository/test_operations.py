"""Dashboards, alerts and the runbook say what there is, and say it completely."""

import re
from pathlib import Path
from typing import Any

import pytest

from bridge.telemetry.combined import LABEL
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
PARTS = ["What it means", "What to look at", "What to do", "What not to do"]
# What Prometheus itself puts on each series, and the supervisor of several workers.
SCRAPED = {"namespace", "instance", "le", LABEL}


def sections() -> dict[str, str]:
    """What the runbook says of each thing that may be wrong, by its anchor."""
    found = re.split(r"^### (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    return {_anchor(title): text for title, text in zip(found[1::2], found[2::2], strict=True)}


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


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
def test_each_alert_leads_to_a_section_of_the_runbook_that_names_it(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert page == "docs/runbook.md"
    assert f"`{name}`" in sections()[anchor]


@pytest.mark.parametrize("anchor", sections())
def test_each_section_says_what_it_means_and_what_to_do(anchor: str) -> None:
    assert re.findall(r"^\*\*(.+?)\.\*\*", sections()[anchor], re.MULTILINE) == PARTS


def test_what_the_runbook_names_exists() -> None:
    text = RUNBOOK.read_text()
    assert set(re.findall(r"`(ProductivBridge\w+)`", text)) == ALERTS.keys()
    assert set(re.findall(r"`(bridge_\w+)", text)) <= SHOWN.keys()
    assert set(re.findall(r"\(#(.+?)\)", text)) <= sections().keys()
    titles = {dashboard.title for dashboard in DASHBOARDS.values()}
    panels_named = {
        re.sub(r"\s+", " ", name) for name in re.findall(r"\*([A-Z][^*]+)\*", text.replace("**", ""))
    }
    known = titles | {panel.title for dashboard in DASHBOARDS.values() for panel in dashboard.panels}
    assert panels_named - {"Fast", "Slowly"} <= known


def test_the_page_of_plots_shows_every_picture_of_a_panel_and_no_other() -> None:
    text = (ROOT / "docs" / "dashboards.md").read_text()
    shown = set(re.findall(r"!\[(.+?)\]\(images/(.+?)\)", text))
    described = {panel.title: panel.description for each in DASHBOARDS.values() for panel in each.panels}
    assert {file for _, file in shown} == {path.name for path in (ROOT / "docs" / "images").glob("*.svg")}
    assert all(described[title] in text for title, _ in shown)
