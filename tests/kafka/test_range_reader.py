"""Ranges of offsets are read to their end exactly, whatever stands there, and nothing beyond."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from bridge.core.errors import BridgeError
from bridge.kafka import range_reader
from bridge.kafka.offset_range import OffsetRange
from bridge.kafka.range_reader import Piece, range_consumer, read_ranges
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster


@pytest.fixture
def reader(any_kafka: Cluster[Broker]) -> Iterator[Consumer]:
    with closing(range_consumer({"bootstrap.servers": any_kafka.bootstrap}, "reader")) as consumer:
        yield consumer


def produce(cluster: Cluster[Broker], topic: str, *parts: tuple[int, Sequence[bytes]]) -> None:
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for partition, values in parts:
        for value in values:
            producer.produce(topic, value, partition=partition)
    assert producer.flush(30) == 0


def numbered(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


def read_all(pieces: Iterator[Piece]) -> list[tuple[int, bytes | None]]:
    return [(message.partition() or 0, message.value()) for piece in pieces for message in piece.messages]


def test_ranges_are_read_in_order_and_nothing_else(any_kafka: Cluster[Broker], reader: Consumer) -> None:
    topic = any_kafka.create_topic("range")
    produce(any_kafka, topic, (0, numbered(20)), (1, numbered(12_000)), (2, numbered(5)), (3, numbered(5)))
    ranges = [OffsetRange(1, 100, 11_900), OffsetRange(0, 0, 20), OffsetRange(2, 3, 3), OffsetRange(3, 4, 5)]
    pieces = list(read_ranges(reader, topic, ranges))
    assert read_all(iter(pieces)) == [
        *((1, value) for value in numbered(12_000)[100:11_900]),
        *((0, value) for value in numbered(20)),
        (3, b"4"),
    ]
    assert len(pieces) > 3
    assert max(len(piece.messages) for piece in pieces) <= range_reader.CHUNK_RECORDS
    assert [piece.reached for piece in pieces if piece.partition != 1] == [20, 5]


def test_a_range_of_nothing_asks_nothing(mock_kafka: Cluster[Broker]) -> None:
    assert list(read_ranges(cast(Consumer, None), "nowhere", [OffsetRange(0, 7, 7)])) == []


@pytest.mark.real_kafka
@pytest.mark.parametrize("committed", [True, False])
def test_markers_and_aborted_records_at_the_end_do_not_hold_it_up(
    kafka: Cluster[Broker], committed: bool
) -> None:
    topic = kafka.create_topic("range", 1)
    produce(kafka, topic, (0, [b"before"]))
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"inside", partition=0)
    producer.flush(30)
    if committed:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)
    with closing(range_consumer({"bootstrap.servers": kafka.bootstrap}, "reader")) as consumer:
        pieces = list(read_ranges(consumer, topic, [OffsetRange(0, 0, 3)]))
    inside = [(0, b"inside")] if committed else []
    assert read_all(iter(pieces)) == [(0, b"before"), *inside]
    assert pieces[-1].reached == 3


@pytest.mark.real_kafka
def test_an_end_within_a_hole_stops_at_the_next_record(kafka: Cluster[Broker]) -> None:
    """The marker of a transaction is a hole like those that compaction leaves."""
    topic = kafka.create_topic("range", 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(30)
    for value in (b"first", b"second"):
        producer.begin_transaction()
        producer.produce(topic, value, partition=0)
        producer.commit_transaction(30)
    with closing(range_consumer({"bootstrap.servers": kafka.bootstrap}, "reader")) as consumer:
        pieces = list(read_ranges(consumer, topic, [OffsetRange(0, 0, 2)]))
    assert read_all(iter(pieces)) == [(0, b"first")]
    assert pieces[-1].reached == 2


@pytest.mark.real_kafka
def test_no_group_is_joined_and_no_offset_is_committed(kafka: Cluster[Broker]) -> None:
    topic, group = kafka.create_topic("range", 1), kafka.unique("group")
    produce(kafka, topic, (0, numbered(3)))
    with closing(range_consumer({"bootstrap.servers": kafka.bootstrap}, group)) as consumer:
        assert len(read_all(read_ranges(consumer, topic, [OffsetRange(0, 0, 3)]))) == 3
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    assert group not in [each.group_id for each in admin.list_consumer_groups().result(30).valid]
    with closing(Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})) as asking:
        assert asking.committed([TopicPartition(topic, 0)], timeout=30)[0].offset < 0


@pytest.mark.real_kafka
def test_records_that_are_gone_are_an_error_and_no_gap(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("range", 1)
    produce(kafka, topic, (0, numbered(5)))
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.delete_records([TopicPartition(topic, 0, 3)])[TopicPartition(topic, 0)].result(30)
    with (
        closing(range_consumer({"bootstrap.servers": kafka.bootstrap}, "reader")) as consumer,
        pytest.raises(
            BridgeError, match=f"records of {topic}, partition 0, were deleted while offsets 1 to 5"
        ),
    ):
        list(read_ranges(consumer, topic, [OffsetRange(0, 1, 5)]))


def record(offset: int, partition: int = 0) -> Message:
    return Message(topic="t", partition=partition, offset=offset, value=b"v")


def failure(code: int, offset: int = -1001, partition: int = 0) -> Message:
    return Message(topic="t", partition=partition, offset=offset, error=KafkaError(code))


class Script:
    """A consumer that answers each poll with the next of these, and then with nothing."""

    def __init__(self, *polls: list[Message]) -> None:
        self.polls = list(polls)
        self.asked: list[int] = []

    def assign(self, _: list[TopicPartition]) -> None:
        pass

    def consume(self, count: int, _: float) -> list[Message]:
        self.asked.append(count)
        return self.polls.pop(0) if self.polls else []


def read(script: Script, *ranges: OffsetRange) -> list[Piece]:
    return list(read_ranges(cast(Consumer, script), "t", ranges))


def offsets(pieces: list[Piece]) -> list[tuple[list[int | None], int]]:
    return [([message.offset() for message in piece.messages], piece.reached) for piece in pieces]


def test_holes_are_passed_over() -> None:
    script = Script([record(2), record(5)], [record(6), record(12)])
    assert offsets(read(script, OffsetRange(0, 0, 10))) == [([2, 5], 6), ([6], 10)]
    assert script.asked == [10, 4]


def test_the_end_of_the_partition_ends_a_range_only_where_it_is() -> None:
    early, late = failure(KafkaError._PARTITION_EOF, 6), failure(KafkaError._PARTITION_EOF, 10)
    script = Script([record(5), early], [late], [record(7)])
    assert offsets(read(script, OffsetRange(0, 0, 10))) == [([5], 6), ([], 10)]


def test_what_another_partition_says_late_does_not_count() -> None:
    script = Script(
        [failure(KafkaError._PARTITION_EOF, 50, partition=1), record(50, 1)], [record(0), record(1)]
    )
    assert offsets(read(script, OffsetRange(0, 0, 2))) == [([0, 1], 2)]


def test_kafka_may_be_away_for_a_while() -> None:
    quiet: list[list[Message]] = [[]] * (range_reader.QUIET_POLLS - 1)
    down = [failure(KafkaError._ALL_BROKERS_DOWN)]
    script = Script([record(0)], *quiet[1:], down, [record(1)], *quiet, [record(2)])
    assert offsets(read(script, OffsetRange(0, 0, 3))) == [([0], 1), ([1], 2), ([2], 3)]


def test_kafka_that_stays_away_is_named_with_what_it_said_last() -> None:
    script = Script([record(0)], [failure(KafkaError._ALL_BROKERS_DOWN)])
    with pytest.raises(
        BridgeError,
        match=r"no records of t, partition 0, offset 1 of 3: Local: All broker connections are down",
    ):
        read(script, OffsetRange(0, 0, 3))
    assert len(script.asked) == 1 + range_reader.QUIET_POLLS


def test_silence_is_named_as_such() -> None:
    with pytest.raises(BridgeError, match="no records of t, partition 0, offset 0 of 3: no word why"):
        read(Script(), OffsetRange(0, 0, 3))


def test_a_client_that_is_broken_does_not_wait() -> None:
    fatal = KafkaError(KafkaError._FATAL, "broken", fatal=True)
    script = Script([Message(topic="t", partition=0, offset=-1001, error=fatal)])
    with pytest.raises(BridgeError, match="Kafka ended the reading of t: broken"):
        read(script, OffsetRange(0, 0, 3))
    assert len(script.asked) == 1
