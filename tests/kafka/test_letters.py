"""Dead letters are read once each, with what was decided; the choice of them is exact."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Message

from bridge.core.errors import BridgeError, ConfigError
from bridge.kafka.census import MAX_GROUPS, OTHER_APPS, Census
from bridge.kafka.choice import Choice, place
from bridge.kafka.contents import Contents
from bridge.kafka.decisions import Decisions, Status
from bridge.kafka.fenced_producer import ProducerRecord
from bridge.kafka.letters import DeadLetterBox, Letter
from bridge.kafka.offset_range import OffsetRange
from bridge.kafka.origins import Origin
from bridge.kafka.parked_messages import ParkedMessage, parked_record
from bridge.kafka.replay import Returns
from bridge.kafka.serde import wire
from bridge.kafka.topics import Topic
from bridge.streams import SINKS
from tests.kafka.letters import AT, bury, refused, stage_topic
from tests.kafka.records import GOOD, message, usage_topic
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster


@contextmanager
def box(kafka: Cluster[Broker], topic: Topic, memory: str = "nowhere") -> Iterator[DeadLetterBox]:
    settings = {"bootstrap.servers": kafka.bootstrap}
    decisions = Decisions(settings, memory, topic.dead_letters.topic, topic.topic)
    opened = DeadLetterBox(settings, "box", topic, decisions)
    yield opened
    opened.close()


def contents(topic: Topic | None = None, stream: str = "usage") -> Contents:
    chosen = topic or usage_topic()
    return Contents(SINKS[stream], chosen, wire(SINKS[stream], chosen), {"CRM": "500123"})


def read(opened: DeadLetterBox, choice: Choice | None = None) -> list[Letter]:
    wanted = choice or Choice()
    return list(wanted.letters(opened, contents(), wanted.ranges(opened), lambda done, total: None))


def offsets(letters: list[Letter]) -> list[int]:
    return sorted(each.origin.offset for each in letters)


def test_a_letter_that_stands_twice_is_one_and_those_of_other_topics_are_none(
    any_kafka: Cluster[Broker],
) -> None:
    topic = stage_topic(any_kafka)
    name = topic.topic
    bury(any_kafka, topic, refused(name, 1, GOOD), refused(name, 2, GOOD), refused("another", 3, GOOD))
    bury(any_kafka, topic, refused(name, 1, GOOD), refused(name, 1, GOOD, partition=1))
    progress: list[tuple[int, int]] = []
    with box(any_kafka, topic) as opened:
        told = list(opened.read(opened.ranges(), lambda done, total: progress.append((done, total))))
        assert sorted(each.origin for each in told) == [
            Origin(0, 1, AT + 1),
            Origin(0, 2, AT + 2),
            Origin(1, 1, AT + 1),
        ]
        assert opened.foreign == 1
        assert progress[-1] == (5, 5)
        assert {each.status for each in told} == {Status.WAITING}
        assert {(each.reason, each.cut) for each in told} == {("invalid", False)}


def test_a_letter_from_the_parking_topic_is_that_of_the_record_that_was_parked(
    mock_kafka: Cluster[Broker],
) -> None:
    topic = stage_topic(mock_kafka)
    straight = refused(topic.topic, 7, GOOD, headers=[("from", b"a test")])
    made = parked_record("parked", 3, "CRM", straight.origin)
    stands = Message(topic="parked", partition=3, offset=0, key=made.key, value=made.value)
    told: Any = [(name, value.encode() if isinstance(value, str) else value) for name, value in made.headers]
    stands.set_headers(told)
    bury(mock_kafka, topic, replace(straight, origin=ParkedMessage(stands)), straight)
    with box(mock_kafka, topic) as opened:
        [letter] = read(opened)
        assert opened.foreign == 0
        returned = Returns(topic.topic, 4, None).of(letter).record
    assert letter.origin == Origin(0, 7, AT + 7)
    assert returned == ProducerRecord(topic.topic, b"7", straight.origin.value(), 0, [("from", b"a test")])


def test_letters_are_chosen_by_reason_app_and_place(mock_kafka: Cluster[Broker]) -> None:
    topic = stage_topic(mock_kafka)
    apps = ["CRM", "500123", "wiki", None]
    letters = [refused(topic.topic, n, {**GOOD, "app": app}, key=b"k") for n, app in enumerate(apps)]
    letters += [refused(topic.topic, 4, b"noise", "undecodable", key=b"k")]
    bury(mock_kafka, topic, *letters)
    with box(mock_kafka, topic) as opened:
        at = read(opened)[0].message.partition() or 0
        assert offsets(read(opened, Choice(apps=frozenset({"CRM"})))) == [0, 1]
        assert offsets(read(opened, Choice(apps=frozenset({"500123", "wiki"})))) == [0, 1, 2]
        assert offsets(read(opened, Choice(reasons=frozenset({"undecodable", "other"})))) == [4]
        assert offsets(read(opened, Choice(places=(place(f"{at}:1-3"),)))) == [1, 2, 3]
        assert offsets(read(opened, Choice(places=(place(f"{at}:3-99"), place(f"{at}:0"))))) == [0, 3, 4]
        assert read(opened, Choice(places=(place("77:0"),))) == []


@pytest.mark.real_kafka
def test_letters_are_chosen_by_time(kafka: Cluster[Broker]) -> None:
    topic = stage_topic(kafka)
    bury(kafka, topic, refused(topic.topic, 1, GOOD))
    with box(kafka, topic) as opened:
        [letter] = read(opened)
        assert offsets(read(opened, Choice(begin_ms=letter.at, end_ms=letter.at + 1))) == [1]
        assert read(opened, Choice(begin_ms=letter.at + 1)) == []
        assert read(opened, Choice(end_ms=letter.at)) == []


@pytest.mark.parametrize("text", ["", "1", "0:", "0:5-4", "a:1", "0:1-", "-1:1"])
def test_what_is_no_place_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="is no place; write it like 0:17 or 0:17-42"):
        place(text)
    assert place("3:17-42") == OffsetRange(3, 17, 43)


def test_a_topic_that_is_not_there_is_named(mock_kafka: Cluster[Broker]) -> None:
    topic = usage_topic(topic="nowhere", dead_letters={"topic": "neither"})
    with box(mock_kafka, topic) as opened:
        with pytest.raises(BridgeError, match="topic neither does not exist"):
            opened.ranges()
        with pytest.raises(BridgeError, match="topic nowhere does not exist, so nothing can go back"):
            opened.partitions()


def letter(number: int, app: str) -> Letter:
    told = message(b'{"app": "%s"}' % app.encode(), number)
    return Letter(told, Origin(0, number, number), {"reason": "invalid"}, Status.WAITING)


def test_a_census_counts_any_number_of_apps_in_bounded_memory() -> None:
    census, reader = Census(), contents()
    for number in range(MAX_GROUPS + 50):
        census.count(letter(number, f"app {number}"), reader)
    assert len(census.groups) == MAX_GROUPS + 1
    assert census.groups["invalid", OTHER_APPS].records == 50
    assert census.statuses == {Status.WAITING: MAX_GROUPS + 50}


def test_the_app_is_told_as_far_as_it_can_be_read() -> None:
    by_header = contents(usage_topic(app={"from": "header", "name": "x-app"}))
    assert by_header.app(message(b"noise", headers=[("x-app", b"crm")])) == "crm"
    assert by_header.app(message(b"noise")) is None
    assert contents().app(message(b'{"app": 5}')) is None
    assert contents().app(message(b"[]")) is None
    assert contents(stream="users").app(message(None, key=b"crm/ada@example.com")) == "crm"
