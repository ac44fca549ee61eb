"""Every query of every panel and alert, held against a Prometheus that scraped a bridge on a bad day."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.process import eventually
from tests.operations.prometheus import Prometheus, binary
from tests.operations.queries import ALERTS_FILE, Query, of_alerts, of_panels
from tests.operations.storm import Storm

SECONDS = 80.0
EMPTY = {
    "ProductivBridgeNotRunning": "says that there is nothing to scrape, and there is",
}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    binary("prometheus")
    storm = Storm(tmp_path)
    try:
        made = Prometheus(tmp_path, [storm.target], ALERTS_FILE)
        try:
            storm.begin()
            storm.rage()
            eventually(lambda: made.query("bridge_apps_parked > 0") != [], "an app is parked")
            storm.strike()
            yield made
        finally:
            made.close()
    finally:
        storm.close()


def test_each_query_of_panels_and_alerts_has_data_on_a_bad_day(prometheus: Prometheus) -> None:
    pending = {query for query in (*of_panels(), *of_alerts()) if query.place not in EMPTY}

    def all_have() -> bool:
        for query in list(pending):
            if prometheus.query(query.expression):
                pending.discard(query)
        return not pending

    try:
        eventually(all_have, "each query has data", SECONDS)
    except AssertionError:
        raise AssertionError("\n".join(["nothing for:", *sorted(map(_said, pending))])) from None
    for name in EMPTY:
        [query] = [each for each in of_alerts() if each.place == name]
        assert prometheus.query(query.expression) == []
    health = {rule["name"]: (rule["health"], rule.get("lastError", "")) for rule in prometheus.rules()}
    assert set(health.values()) == {("ok", "")}, health


def _said(query: Query) -> str:
    return f"{query.place}: {query.expression}"
