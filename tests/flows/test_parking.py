"""One app is down for long: no other feels it, and when it answers again all of its records come in order."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.flows.conftest import staged
from tests.flows.process import BridgeProcess, balanced, eventually
from tests.flows.setting import Stage, usage
from tests.flows.test_spend import accepted, batches, payments, resolve, taken, taken_total, total
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


def test_of_two_apps_that_are_down_one_may_come_back_alone(stage: Stage) -> None:
    """Though the bridge holds less than is parked of each, and their names lead to the same partition."""
    for app in ("wiki", "crm"):
        stage.fault(kind="status", status=503, app=app)
    stage.produce([usage(n, APPS[n % 4]) for n in range(24_000)])
    bridge = parking(stage).start()
    stage.delivered(12_000)
    eventually(lambda: bridge.books()["parked"] == 12_000, "both are parked")
    eventually(lambda: bridge.metric("bridge_lanes_waiting", stream="usage.parked") == 2, "both wait")
    stage.clear_faults()
    stage.fault(kind="status", status=503, app="wiki")
    stage.delivered(18_000)
    assert bridge.books("usage.parked")["outstanding"] <= 2_000
    stage.clear_faults()
    stage.delivered(24_000)
    eventually(lambda: settled(bridge, "usage"), "nobody is parked")


@pytest.fixture
def real_parking_stage(
    kafka: Cluster[Broker], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    with staged(kafka, tmp_path, stream=request.param) as made:
        yield made


@pytest.mark.real_kafka
@pytest.mark.parametrize("real_parking_stage", ["users"], indirect=True)
def test_each_user_ends_with_the_last_word_across_the_move_there_and_back_and_kills(
    real_parking_stage: Stage,
) -> None:
    stage, directory = real_parking_stage, Directory(2_000)
    stage.fault(kind="status", status=503, app="wiki")
    stage.produce_keyed(directory.changes(20_000))
    bridge = parking(stage).start()
    for parked in (500, 1_500):
        eventually(lambda parked=parked: bridge.books()["parked"] >= parked, "some are parked")  # type: ignore[misc]
        bridge.kill()
        bridge.start()
    eventually(lambda: stage.committed() == 20_000, "the others are all delivered", 120)
    theirs = {who: role for who, role in directory.accounts.items() if who[0] != "wiki"}
    assert {who: role for who, role in held(stage).items() if who[0] != "wiki"} == theirs
    second = parking(stage).start()
    stage.clear_faults()
    stage.fault(kind="latency", seconds=0.05)
    for _ in range(4):  # while what is parked is delivered, and beyond: some of these go straight
        stage.produce_keyed(directory.changes(2_000))
        eventually(lambda: second.books("users.parked")["outstanding"] == 0, "it goes on")
        second.kill()
        second.start()
    eventually(lambda: stage.committed() == 28_000, "all are committed", 120)
    for each in (bridge, second):
        eventually(lambda each=each: settled(each, "users"), "nobody is parked", 120)  # type: ignore[misc]
    assert held(stage) == directory.accounts
    assert not stage.buried()


@pytest.mark.real_kafka
@pytest.mark.parametrize("real_parking_stage", ["spend"], indirect=True)
def test_no_cent_is_lost_or_accepted_twice_across_the_move_and_kills(real_parking_stage: Stage) -> None:
    stage, records, random = real_parking_stage, payments(12_000), Random(5)
    stage.fault(kind="status", status=503, app="wiki")
    stage.produce(records)
    bridge = parking(stage).start()
    for _ in range(3):
        aim = 200 + random.randrange(500)
        eventually(lambda aim=aim: bridge.books()["parked"] >= aim, "some are parked")  # type: ignore[misc]
        bridge.kill()
        bridge.start()
    eventually(lambda: stage.committed() == 12_000, "the others are all delivered", 120)
    assert {name for name, app in stage.state()["apps"].items() if app["spend"]["accepted"]} == {
        "crm",
        "payroll",
    }
    stage.clear_faults()
    eventually(lambda: settled(bridge, "spend"), "all settled", 120)
    everything = {f"invoice {number}" for number in range(12_000)}
    doubtful = {record for records in batches(bridge).values() for record in records}
    assert set(taken(stage)) | doubtful == everything
    resolve(bridge, stage)  # what was under way at a kill, straight or from the parking topic
    eventually(lambda: accepted(stage) >= 12_000, "what was missing is there")
    assert set(taken(stage)) == everything
    assert set(taken(stage).values()) == {1}
    assert taken_total(stage) == total(records)
