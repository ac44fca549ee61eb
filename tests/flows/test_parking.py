"""One app is down for long: no other feels it, and when it answers again all of its records come in order."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.flows.conftest import staged
from tests.flows.process import BridgeProcess, balanced, eventually
from tests.flows.setting import Stage, usage
from tests.flows.test_spend import payments, taken, total, taken_total
from tests.flows.test_users import Directory, held
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

APPS = ("crm", "wiki", "payroll", "mail")


def parking(stage: Stage, **sink: Any) -> BridgeProcess:
    """A bridge that parks soon, and can hold little."""
    return stage.bridge(
        park_after_seconds=1, max_outstanding_records=2_000, batch={"max_age_seconds": 0.2}, **sink
    )


def settled(bridge: BridgeProcess, stream: str) -> bool:
    books = [bridge.books(stream), bridge.books(f"{stream}.parked")]
    assert all(balanced(each) for each in books)
    return not any(each["outstanding"] for each in books) and bridge.metric("bridge_apps_parked") == 0


def test_others_are_delivered_while_one_app_is_down_and_it_gets_all_in_the_end(stage: Stage) -> None:
    stage.fault(kind="status", status=503, app="wiki")
    stage.produce([usage(n, APPS[n % 4]) for n in range(20_000)])
    bridge = parking(stage).start()
    stage.delivered(15_000)
    assert bridge.metric("bridge_apps_parked", stream="usage") == 1
    assert bridge.status("/readyz")[0] == 200
    stage.produce([usage(n, APPS[n % 4]) for n in range(20_000, 24_000)])
    stage.delivered(18_000)
    eventually(lambda: bridge.books()["outstanding"] == 0, "its records take no room")
    assert bridge.books()["parked"] == 6_000
    stage.clear_faults()
    stage.delivered(24_000)
    eventually(lambda: settled(bridge, "usage"), "it is not parked any more")
    stage.produce([usage(n, "wiki") for n in range(24_000, 25_000)])
    stage.delivered(25_000)
    assert bridge.books()["parked"] == 6_000, "they go straight again"
    assert stage.accepted() == set(range(25_000))
    assert not stage.buried()
