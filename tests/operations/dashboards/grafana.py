"""What a dashboard is made of, and how Grafana wants it written down."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

FOLDER = Path(__file__).parents[3] / "helm" / "productiv-bridge" / "dashboards"
WIDTH = 24  # columns of Grafana's grid
TAG = "productiv-bridge"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION = 41  # of Grafana 12
GREEN, ORANGE, RED = "green", "orange", "red"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Panel:
    """One panel. `queries` are PromQL by legend: `{*}` stands for the dashboard's selection, and `[*]` for a
    window that fits the resolution. `unit` is Grafana's name for it. From `warn` and `bad` on, a value is
    orange or red.
    """

    title: str
    description: str
    unit: str
    queries: Mapping[str, str]
    kind: Literal["timeseries", "stat", "table"] = "timeseries"
    width: int = 8
    stacked: bool = False
    warn: float | None = None
    bad: float | None = None


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Row:
    """Panels under a title."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Dashboard:
    """A page. `by_stream` lets the reader choose streams as well as namespaces."""

    title: str
    description: str
    rows: Sequence[Row]
    by_stream: bool = False

    @property
    def panels(self) -> list[Panel]:
        """The panels of all rows."""
        return [panel for row in self.rows for panel in row.panels]

    def query(self, text: str) -> str:
        """A query as Grafana gets it."""
        chosen = ', stream=~"$stream"' if self.by_stream else ""
        selection = f'namespace=~"$namespace"{chosen}'
        return text.replace("{*", "{" + selection).replace("[*]", "[$__rate_interval]")


def text(name: str, dashboard: Dashboard) -> str:
    """The file of a dashboard."""
    return json.dumps({"uid": f"{TAG}-{name}", **_page(dashboard)}, indent=2) + "\n"


def _page(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "title": f"productiv-bridge / {dashboard.title}",
        "description": dashboard.description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,  # one crosshair for all panels
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "title": TAG, "tags": [TAG], "includeVars": True, "keepTime": True}],
        "templating": {"list": _variables(dashboard)},
        "panels": _placed(dashboard),
    }


def _variables(dashboard: Dashboard) -> list[dict[str, Any]]:
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    namespace = _choice("namespace", "label_values(bridge_build_info, namespace)")
    streams = 'label_values(bridge_rebalances_total{namespace=~"$namespace"}, stream)'
    return [source, namespace, *([_choice("stream", streams)] if dashboard.by_stream else [])]


def _choice(name: str, query: str) -> dict[str, Any]:
    """A variable with all values chosen at first; that also finds series without the label."""
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # whenever the time range changes
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _placed(dashboard: Dashboard) -> list[dict[str, Any]]:
    """The panels, one after the other from the left to the right and from the top to the bottom."""
    placed: list[dict[str, Any]] = []
    y = 0
    for row in dashboard.rows:
        place = {"h": 1, "w": WIDTH, "x": 0, "y": y}
        placed.append({"type": "row", "title": row.title, "collapsed": False, "panels": [], "gridPos": place})
        x, y = 0, y + 1
        height = 4 if all(panel.kind == "stat" for panel in row.panels) else 8
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y = 0, y + height
            place = {"h": height, "w": panel.width, "x": x, "y": y}
            placed.append({**_panel(dashboard, panel), "gridPos": place})
            x += panel.width
        y += height
    return [{"id": number, **panel} for number, panel in enumerate(placed, 1)]


def _panel(dashboard: Dashboard, panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    marks = [(GREEN, None), (ORANGE, panel.warn), (RED, panel.bad)]
    steps = [
        {"color": color, "value": value} for color, value in marks if color == GREEN or value is not None
    ]
    defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none"}
        marked = "dashed" if len(steps) > 1 else "off"
        style = {"fillOpacity": 30 if panel.stacked else 0, "stacking": stacking, "showPoints": "never"}
        defaults["custom"] = {**style, "thresholdsStyle": {"mode": marked}}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": OPTIONS[panel.kind],
        "targets": [_target(dashboard, panel, *each) for each in enumerate(panel.queries.items())],
        **({"transformations": TABLE} if panel.kind == "table" else {}),
    }


def _target(dashboard: Dashboard, panel: Panel, number: int, query: tuple[str, str]) -> dict[str, Any]:
    legend, expression = query
    now = panel.kind != "timeseries"
    return {
        "refId": chr(ord("A") + number),
        "datasource": DATASOURCE,
        "expr": dashboard.query(expression),
        "legendFormat": legend,
        "instant": now,
        "range": not now,
        **({"format": "table"} if panel.kind == "table" else {}),
    }


OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "graphMode": "none"},
    "table": {"showHeader": True},
}
TABLE = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]
