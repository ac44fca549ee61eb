"""Every query of every panel and alert, as Prometheus gets it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.operations.dashboards.grafana import FOLDER

ALERTS_FILE = FOLDER.parent / "alerts" / "productiv-bridge.yaml"
WINDOW = "10s"  # what Grafana makes of $__rate_interval at a scrape a second is no less than 4 scrapes

ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(ALERTS_FILE.read_text())["groups"]
    for rule in group["rules"]
}
"""The alerts by name."""


@dataclass(frozen=True)
class Query:
    """A query, and where it stands."""

    place: str
    expression: str

    @property
    def metrics(self) -> set[str]:
        """The metrics of the bridge that it uses."""
        return set(re.findall(r"\bbridge_\w+", self.expression))


def panels(path: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard that show something."""
    return [panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]


def of_panels() -> list[Query]:
    """Those of all dashboards, with all that there is chosen."""
    return [
        Query(f"{path.stem}: {panel['title']}: {target['legendFormat']}", filled(target["expr"]))
        for path in sorted(FOLDER.glob("*.json"))
        for panel in panels(path)
        for target in panel["targets"]
    ]


def of_alerts() -> list[Query]:
    """Those of all alerts, saying 0 or 1 where the alert would be silent or fire."""
    return [Query(name, _compared(rule["expr"])) for name, rule in ALERTS.items()]


def filled(expression: str) -> str:
    """A query with the reader's choices put in: all there is, and a short window."""
    variables = {"$__rate_interval": WINDOW, "$namespace": ".*", "$stream": ".*"}
    for name, value in variables.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def _compared(expression: str) -> str:
    """Comparisons of figures have blanks around them, those of labels have none."""
    return re.sub(r" (>|<|==) ", r" \1 bool ", expression)
