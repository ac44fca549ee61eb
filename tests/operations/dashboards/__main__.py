"""Writes the dashboards into the chart: python -m tests.operations.dashboards"""

from tests.operations.dashboards import DASHBOARDS
from tests.operations.dashboards.grafana import FOLDER, text

for name, dashboard in DASHBOARDS.items():
    (FOLDER / f"{name}.json").write_text(text(name, dashboard))
