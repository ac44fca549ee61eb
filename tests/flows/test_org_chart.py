"""The org chart ends as the topic says: changes as they come, snapshots as a whole or not at all."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.flows.conftest import staged
from tests.flows.process import BridgeProcess, balanced, eventually
from tests.flows.setting import Stage, header
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

Word = tuple[str, dict[str, Any] | bytes | None]


@pytest.fixture
def stage(any_kafka: Cluster[Broker], tmp_path: Path) -> Iterator[Stage]:
    with staged(any_kafka, tmp_path, stream="org_chart") as made:
        yield made


def address(number: int) -> str:
    return f"person{number}@example.com"


def snapshot(number: int, people: int, size: int | None = None, **of_all: Any) -> list[Word]:
    """The first so many people of a snapshot; with `size` the last of them says how many there are."""
    words: list[Word] = []
    for person in range(people):
        record = {"email": address(person), "title": f"of {number}", "snapshot": number} | of_all
        if person:
            record.setdefault("managerEmail", address(person // 2))
        words.append((address(person), record))
    if size is not None:
        last = words[-1][1]
        assert isinstance(last, dict)
        last["snapshotSize"] = size
    return words


def chart(stage: Stage) -> dict[str, dict[str, Any]]:
    """The people of the company by the API, by e-mail address."""
    return {person["email"].lower(): person for person in stage.content("org-chart", "")}


def figures(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = stage.state()["company"].get("org_chart", {})
    return found


def people(stage: Stage) -> int:
    return int(figures(stage).get("people", 0))


# -- changes -----------------------------------------------------------------------------------------------


def test_changes_end_as_the_topic_says_through_faults_and_a_kill(stage: Stage) -> None:
    random, latest = Random(3), dict[str, dict[str, Any]]()
    words: list[Word] = []
    for number in range(10_000):
        person = address(random.randrange(1_000))
        spelled = person.title() if number % 10 == 0 else person
        words.append((person, {"email": spelled, "title": str(number), "customFields": {"Entity": "UK"}}))
        latest[person] = {"email": person, "title": str(number), "Entity": "UK"}
    total = stage.produce_keyed(words)
    stage.fault(kind="status", status=503, share=0.1)
    stage.fault(kind="reset", when="after", share=0.1)
    stage.fault(kind="latency", seconds=0.05)
    batch = {"max_records": 200, "max_age_seconds": 0.2}
    bridge = stage.bridge(batch=batch, custom_fields={"Entity": "text"}).start()
    eventually(lambda: stage.committed() >= total / 2, "half are committed")
    bridge.kill()
    bridge.start()
    eventually(lambda: stage.committed() == total, "all are committed", 120)
    assert chart(stage) == latest
    assert figures(stage)["custom_fields"] == [{"name": "Entity", "type": "text"}]
    assert balanced(bridge.books())
    assert not stage.buried()


def test_what_the_chart_cannot_take_is_a_dead_letter(stage: Stage) -> None:
    stage.produce_keyed(
        [
            (address(1), None),
            (address(2), {"email": address(2), "customFields": {"Shoe size": "44"}}),
            (address(3), {"email": address(3)}),
        ]
    )
    bridge = stage.bridge(custom_fields={"Entity": "text"}).start()
    eventually(lambda: bridge.has_settled(3), "all settled")
    assert chart(stage) == {address(3): {"email": address(3)}}
    details = {message.key(): header(message, "bridge.detail") for message in stage.buried()}
    assert "has no deletions" in details[address(1).encode()]
    assert "custom_fields does not list" in details[address(2).encode()]
    assert "Shoe" not in str(details)


# -- snapshots ---------------------------------------------------------------------------------------------


def test_a_snapshot_goes_out_when_it_is_complete_in_one_run_of_requests(stage: Stage) -> None:
    words = snapshot(7, 3_500, size=3_500)
    # The size comes first: on other partitions records are still on their way when it is read.
    stage.produce_keyed(words[-1:])
    stage.produce_keyed(words[:-2])
    bridge = stage.bridge(mode="snapshot").start()
    eventually(lambda: bridge.books()["received"] == 3_499, "all but one are received")
    assert bridge.metric("bridge_records_gathering", stream="org_chart") == 3_499
    assert stage.state()["company"] == {}
    assert stage.committed() == 0
    stage.produce_keyed(words[-2:-1])
    eventually(lambda: stage.committed() == 3_500, "all are committed")
    assert (people(stage), figures(stage)["batches"], figures(stage)["accepted"]) == (3_500, 4, 3_500)
    assert set(chart(stage)[address(9)]) == {"email", "title", "managerEmail"}
    assert balanced(bridge.books())
    assert not bridge.logged("finding")


def test_a_newer_snapshot_takes_the_place_of_an_unfinished_one(stage: Stage) -> None:
    bridge = stage.bridge(mode="snapshot").start()
    stage.produce_keyed(snapshot(1, 500))
    eventually(lambda: bridge.books()["received"] == 500, "the first is received")
    stage.produce_keyed(snapshot(2, 300, size=300))
    eventually(lambda: stage.committed() == 800, "all are committed")
    # What is left of the first comes late, and changes nothing.
    stage.produce_keyed(snapshot(1, 400, size=400))
    eventually(lambda: stage.committed() == 1_200, "the rest is committed")
    assert {person["title"] for person in chart(stage).values()} == {"of 2"}
    books = bridge.books()
    assert (books["delivered"], books["superseded"], people(stage)) == (300, 900, 300)
    assert balanced(books)


def test_killed_in_the_middle_of_a_run_it_sends_the_whole_chart_again(stage: Stage) -> None:
    stage.fault(kind="latency", seconds=0.1)
    total = stage.produce_keyed(snapshot(1, 3_500, size=3_500))
    bridge = stage.bridge(mode="snapshot", batch={"max_records": 200}).start()
    eventually(lambda: people(stage) >= 1_000, "a part of the chart is out")
    bridge.kill()
    assert people(stage) < total
    assert stage.committed() == 0
    stage.reset()
    bridge.start()
    eventually(lambda: stage.committed() == total, "all are committed")
    assert people(stage) == total  # although the API forgot what it had taken before
    assert balanced(bridge.books())


def test_bad_days_of_the_api_leave_the_chart_whole_and_in_order(stage: Stage) -> None:
    stage.fault(kind="status", status=503, share=0.2)
    stage.fault(kind="reset", when="after", share=0.2)
    bridge = stage.bridge(mode="snapshot", batch={"max_records": 100}).start()
    total = 0
    for number in (1, 2, 3):
        total += stage.produce_keyed(snapshot(number, 1_000, size=1_000))
    eventually(lambda: stage.committed() == total, "all are committed", 120)
    assert {person["title"] for person in chart(stage).values()} == {"of 3"}
    assert people(stage) == 1_000
    assert balanced(bridge.books())


# -- managers ----------------------------------------------------------------------------------------------


def doubtful(number: int) -> list[Word]:
    """1,500 people: three report to somebody who is not there, two to each other, one to themselves."""
    words = snapshot(number, 1_500, size=1_500)
    managers = {7: "gone@example.com", 8: "gone@example.com", 9: "away@example.com", 20: address(21)}
    for person, manager in (managers | {21: address(20), 30: address(30)}).items():
        record = words[person][1]
        assert isinstance(record, dict)
        record["managerEmail"] = manager
    return words


FOUND = {("managerEmail", "unknown", 3), ("managerEmail", "cycle", 3)}


def found(bridge: BridgeProcess) -> set[tuple[str, str, int]]:
    return {(each["field"], each["problem"], each["records"]) for each in bridge.logged("finding")}


def test_doubtful_managers_are_told_without_names_before_the_chart_goes_out(stage: Stage) -> None:
    stage.produce_keyed(doubtful(1))
    stage.fault(kind="status", status=503)
    bridge = stage.bridge(mode="snapshot").start()
    eventually(lambda: found(bridge) == FOUND, "they are told")
    assert people(stage) == 0
    for _, problem, count in FOUND:
        labels = {"stream": "org_chart", "field": "managerEmail", "problem": problem}
        assert bridge.metric("bridge_findings_total", **labels) == count
    stage.clear_faults()
    eventually(lambda: stage.committed() == 1_500, "the chart is out")
    assert people(stage) == 1_500
    assert "@" not in bridge.log.read_text()


def test_a_snapshot_with_doubtful_managers_is_refused_as_a_whole_if_told_so(stage: Stage) -> None:
    """Also one with more records than the flood guard takes: it is one judgement."""
    stage.produce_keyed(doubtful(1))
    bridge = stage.bridge(mode="snapshot", doubtful_managers="refuse").start()
    eventually(lambda: bridge.books()["dead_lettered"] == 1_500, "it is a dead letter as a whole")
    assert stage.state()["company"] == {}
    assert found(bridge) == FOUND
    stage.produce_keyed(snapshot(2, 10, size=10))
    eventually(lambda: people(stage) == 10, "the next one is not held up")
    eventually(lambda: stage.committed() == 1_510, "all are committed")
    assert {header(m, "bridge.detail") for m in stage.buried()} == {
        "the snapshot is refused as a whole for managerEmail unknown (3), managerEmail cycle (3)"
    }


def test_a_snapshot_that_is_too_large_is_refused_as_a_whole(stage: Stage) -> None:
    stage.produce_keyed(snapshot(1, 150, size=150))
    bridge = stage.bridge(mode="snapshot", max_snapshot_records=100).start()
    eventually(lambda: bridge.books()["dead_lettered"] == 150, "all of it is a dead letter")
    stage.produce_keyed(snapshot(2, 100, size=100))
    eventually(lambda: stage.committed() == 250, "the next one is out")
    assert people(stage) == 100
    assert set(stage.reasons()) == {"too_large"}
    assert json.loads(stage.buried()[0].value() or b"")["snapshot"] == 1
