"""The dashboards of the chart, one file each; running this package writes what Grafana reads."""

from pathlib import Path

import yaml
from pydantic import TypeAdapter

from tests.operations.dashboards.grafana import Dashboard

DASHBOARDS = {
    path.stem: TypeAdapter(Dashboard).validate_python(yaml.safe_load(path.read_text()))
    for path in sorted(Path(__file__).parent.glob("*.yaml"))
}
"""By the name of their files."""
