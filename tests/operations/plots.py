"""Plots what panels show over a bad minute and a half: python -m tests.operations.plots"""

import re
import tempfile
import time
from collections.abc import Mapping
from math import isfinite
from pathlib import Path

from tests.operations.dashboards import DASHBOARDS
from tests.operations.dashboards.grafana import Dashboard, Panel
from tests.operations.prometheus import SCRAPE_SECONDS, Prometheus
from tests.operations.queries import ALERTS_FILE, filled
from tests.operations.storm import Storm
from tests.operations.svg import Points, plot

ROOT = Path(__file__).parents[2]
PAGE, IMAGES = ROOT / "docs" / "dashboards.md", ROOT / "docs" / "images"
CALM, STORM, AFTER = 25.0, 40.0, 25.0  # seconds
UNITS = {"s": "seconds", "short": "", "reqps": "requests a second", "suffix: records/s": "records a second"}
CHOSEN = {
    "overview": [
        "Delivered",
        "Lag in seconds",
        "Delay until accepted, 99 of 100 batches",
        "Where records end",
        "Requests that were not accepted",
    ],
    "stream": ["Apps that wait", "Batches sent again"],
    "api": ["Time of a request", "Requests that the API bears at once", "Waiting by cause"],
    "kafka": ["Read from the topics"],
}
HEAD = """\
# Dashboards

Four pages for Grafana, in [`helm/productiv-bridge/dashboards`](../helm/productiv-bridge/dashboards):
*Overview* (is all well, and if not, whose fault is it), *Stream* (one sink or source in depth), *API*
(Productiv's mood) and *Kafka* (lag by partition, rebalances, brokers). Import the files, or have the chart
put them where Grafana looks. At the top one chooses data source and namespace, and streams on two of them.

Below is what some of their panels show of a bad minute and a half, by the very queries, scraped each
second: {calm:g} quiet seconds; {storm:g} seconds in which one app is down, 3 % of the requests fail with
500 and 5 % with 429, some are denied, every tenth answer about spend is lost, tokens are revoked, and
halfway the process is killed and starts anew; then quiet again. `python -m tests.operations.plots` writes
this page.
"""


def main() -> None:
    """Lets the storm pass, and writes the page."""
    with tempfile.TemporaryDirectory() as folder:
        storm = Storm(Path(folder))
        try:
            prometheus = Prometheus(Path(folder), [storm.target], ALERTS_FILE)
            try:
                storm.begin()
                begin = time.time()
                _pass(storm)
                _write(prometheus, begin, time.time())
            finally:
                prometheus.close()
        finally:
            storm.close()


def _pass(storm: Storm) -> None:
    time.sleep(CALM)
    storm.rage()
    time.sleep(STORM / 2)
    storm.strike()
    time.sleep(STORM / 2)
    storm.abate()
    time.sleep(AFTER)


def _write(prometheus: Prometheus, begin: float, end: float) -> None:
    parts = [HEAD.format(calm=CALM, storm=STORM)]
    for name, titles in CHOSEN.items():
        dashboard = DASHBOARDS[name]
        panels = {panel.title: panel for panel in dashboard.panels}
        parts.append(f"## {dashboard.title}\n")
        for title in titles:
            lines = _lines(prometheus, dashboard, panels[title], begin, end)
            file = IMAGES / f"{name}-{re.sub('[^a-z0-9]+', '-', title.lower())}.svg"
            file.parent.mkdir(exist_ok=True)
            unit = UNITS[panels[title].unit]
            file.write_text(plot(f"{title} ({unit})" if unit else title, lines, end - begin))
            parts.append(f"![{title}](images/{file.name})\n\n{panels[title].description}\n")
    PAGE.write_text("\n".join(parts))


def _lines(
    prometheus: Prometheus, dashboard: Dashboard, panel: Panel, begin: float, end: float
) -> Mapping[str, Points]:
    lines: dict[str, Points] = {}
    for legend, text in panel.queries.items():
        for series in prometheus.range(filled(dashboard.query(text)), begin, end, SCRAPE_SECONDS):
            labels = series["metric"]
            name = re.sub(r"{{(\w+)}}", lambda found, of=labels: of.get(found[1], ""), legend)  # type: ignore[misc]
            points = [(float(at) - begin, float(value)) for at, value in series["values"]]
            if any(value > 0 for _, value in points):  # one that is 0 all the time tells nothing
                lines[name] = [(at, value) for at, value in points if isfinite(value)]
    return lines


if __name__ == "__main__":
    main()
