"""A dead letter goes back once, whoever asks how often, and what was decided is remembered with it."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from confluent_kafka import KafkaException, Producer

from bridge.core.errors import BridgeError
from bridge.kafka.decisions import Decisions, Status
from bridge.kafka.fenced_producer import FencedProducer
from bridge.kafka.letters import DeadLetterBox, Letter
from bridge.kafka.replay import Chosen, Decider, Returns, prepared
from tests.kafka.letters import AT, bury, committed, refused, stage_topic
from tests.kafka.records import GOOD
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster


class Desk:
    """A topic with dead letters, and any number of commands that decide about them."""

    def __init__(self, kafka: Cluster[Broker]) -> None:
        self.kafka = kafka
        self.topic = stage_topic(kafka)
        self.memory = kafka.create_topic("decisions", 1, cleanup_policy="compact")
        self.name = kafka.unique("decider")
        self.slept: list[float] = []
        self.now = 0.0

    def bury(self, *offsets: int, **message: Any) -> None:
        bury(self.kafka, self.topic, *(refused(self.topic.topic, n, GOOD, **message) for n in offsets))

    def command(self) -> "Command":
        return Command(self)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def back(self) -> list[bytes]:
        return sorted(each.key() or b"" for each in committed(self.kafka, self.topic.topic))


class Command:
    """One process, as far as Kafka can tell."""

    def __init__(self, desk: Desk) -> None:
        settings = {"bootstrap.servers": desk.kafka.bootstrap}
        letters, topic = desk.topic.dead_letters.topic, desk.topic.topic
        self.decisions = Decisions(settings, desk.memory, letters, topic)
        self.box = DeadLetterBox(settings, "box", desk.topic, self.decisions)
        producer = FencedProducer(settings, desk.name)
        self.decider = Decider(producer, self.decisions, lambda: 7.0, lambda: desk.now, desk.sleep)
        self.returns = Returns(topic, 4, None)
        self.left: list[tuple[str, str]] = []

    def letters(self) -> list[Letter]:
        return list(self.box.read(self.box.ranges()))

    def chosen(self) -> Iterator[Chosen]:
        letters = self.box.read(self.box.ranges())
        return prepared(letters, self.returns, lambda letter: None, self.leave)

    def leave(self, letter: Letter, detail: str) -> None:
        self.left.append((letter.place, detail))

    def replay(self, **options: Any) -> int:
        self.decider.open()
        return self.decider.decide(self.chosen(), Status.REPLAYED, on_left=self.leave, **options)


def test_replaying_twice_delivers_once_also_what_comes_once_more(any_kafka: Cluster[Broker]) -> None:
    desk = Desk(any_kafka)
    desk.bury(1, 2, 1)
    assert desk.command().replay() == 2
    assert desk.command().replay() == 0
    desk.bury(2, 3)  # the bridge had died before it committed 2
    assert desk.command().replay() == 1
    assert desk.command().replay() == 0
    assert desk.back() == [b"1", b"2", b"3"]
    assert {each.status for each in desk.command().letters()} == {Status.REPLAYED}


def test_the_record_is_as_it_was_and_in_its_partition(any_kafka: Cluster[Broker]) -> None:
    desk = Desk(any_kafka)
    desk.bury(1, partition=3, headers=[("from", b"a test")], key=b"k")
    desk.bury(2, partition=9)  # the topic had more partitions once
    bury(any_kafka, desk.topic, refused(desk.topic.topic, 3, b"\xff\0", partition=2))
    bury(any_kafka, desk.topic, refused(desk.topic.topic, 4, None, key=b"gone"))
    assert desk.command().replay() == 4
    back = {each.key(): each for each in committed(any_kafka, desk.topic.topic)}
    assert back[b"k"].value() == orjson.dumps(GOOD)
    assert back[b"k"].headers() == [("from", b"a test")]
    assert back[b"k"].partition() == 3
    assert (back[b"3"].value(), back[b"3"].partition()) == (b"\xff\0", 2)
    assert b"2" in back
    assert back[b"gone"].value() is None


def test_a_decision_is_kept_in_the_documented_form(mock_kafka: Cluster[Broker]) -> None:
    desk = Desk(mock_kafka)
    desk.bury(4)
    command = desk.command()
    command.decider.open()
    chosen = [Chosen(letter) for letter in command.letters()]
    assert command.decider.decide(chosen, Status.DISCARDED, "no longer needed") == 1
    [kept] = committed(mock_kafka, desk.memory)
    assert kept.key() == f"{desk.topic.dead_letters.topic}/{desk.topic.topic}/7000/0/4".encode()
    assert orjson.loads(kept.value() or b"") == {
        "action": "discarded",
        "reason": "no longer needed",
        "at": 7000,
        "records": [[0, 4, AT + 4]],
    }
    assert [each.status for each in desk.command().letters()] == [Status.DISCARDED]
    assert desk.command().replay() == 0
    assert desk.back() == []


def test_what_is_no_decision_is_named(mock_kafka: Cluster[Broker]) -> None:
    desk = Desk(mock_kafka)
    producer = Producer({"bootstrap.servers": mock_kafka.bootstrap})
    producer.produce(desk.memory, b"{}", f"{desk.topic.dead_letters.topic}/{desk.topic.topic}/1/0/1")
    producer.produce(desk.memory, b"{}", "of another stream")
    producer.flush(30)
    with pytest.raises(BridgeError, match="this is no decision; name another topic"):
        desk.command().letters()


@pytest.mark.real_kafka
def test_of_two_commands_at_once_only_the_later_decides(kafka: Cluster[Broker]) -> None:
    desk = Desk(kafka)
    desk.bury(1, 2, 3)
    first, second = desk.command(), desk.command()
    first.decider.open()
    chosen = first.chosen()
    assert first.decider.decide([next(chosen)], Status.REPLAYED) == 1
    assert second.replay() == 2
    with pytest.raises(BridgeError, match="another command has begun to decide"):
        first.decider.decide(chosen, Status.REPLAYED)
    assert desk.back() == [b"1", b"2", b"3"]


@pytest.mark.real_kafka
def test_a_transaction_cut_short_leaves_no_trace(kafka: Cluster[Broker]) -> None:
    """As if the process had died between writing and committing."""
    desk = Desk(kafka)
    desk.bury(1, 2)
    dying = desk.command()
    [one, *_] = list(dying.chosen())
    assert one.record is not None
    raw = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": desk.name, "log_level": 0})
    raw.init_transactions(30)
    raw.begin_transaction()
    decision = dying.decisions.record(Status.REPLAYED, [one.letter.origin], "", 1)
    for record in (one.record, decision):
        raw.produce(record.topic, record.value, record.key)
    raw.flush(30)
    assert desk.command().replay() == 2
    assert desk.back() == [b"1", b"2"]
    with pytest.raises(KafkaException):
        raw.commit_transaction(30)


@pytest.mark.real_kafka
def test_a_record_that_the_topic_does_not_take_is_left_and_hinders_no_other(kafka: Cluster[Broker]) -> None:
    desk = Desk(kafka)
    narrow = kafka.create_topic("narrow", 4, max_message_bytes=2000)
    desk.topic = desk.topic.model_copy(update={"topic": narrow})
    desk.bury(1)
    bury(kafka, desk.topic, refused(narrow, 2, b"x" * 5000), refused(narrow, 3, b"short"))
    command = desk.command()
    assert command.replay() == 2
    [(place, detail)] = command.left
    assert place == "0:1"
    assert narrow in detail
    assert desk.back() == [b"1", b"3"]
    assert [each.origin.offset for each in command.letters() if each.status is Status.WAITING] == [2]


def test_a_value_that_was_cut_stays(mock_kafka: Cluster[Broker]) -> None:
    desk = Desk(mock_kafka)
    desk.bury(1)
    command = desk.command()
    [letter] = command.letters()
    cut = Letter(letter.message, letter.origin, {**letter.told, "value-bytes": "5000000"}, letter.status)
    assert not list(prepared([cut], command.returns, lambda letter: None, command.leave))
    assert "only a part of it is there; send the record anew" in command.left[0][1]


def test_the_rate_is_kept_and_transactions_are_short(mock_kafka: Cluster[Broker]) -> None:
    desk = Desk(mock_kafka)
    desk.bury(*range(25))
    seen: list[int] = []
    assert desk.command().replay(rate=10, on_done=seen.append) == 25
    assert seen == [10, 10, 5]
    assert desk.slept == pytest.approx([1.0, 1.0])
    assert len(committed(mock_kafka, desk.memory)) == 3


@pytest.mark.real_kafka
def test_large_records_go_in_several_transactions(kafka: Cluster[Broker]) -> None:
    desk = Desk(kafka)
    bury(kafka, desk.topic, *(refused(desk.topic.topic, n, b"x" * 900_000) for n in range(30)))
    seen: list[int] = []
    assert desk.command().replay(on_done=seen.append) == 30
    assert seen == [19, 11]
