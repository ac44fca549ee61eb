"""The newest records of a topic are found from behind, past the marks that transactions leave."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice

import pytest

from bridge.core.errors import BridgeError
from bridge.kafka.fenced_producer import FencedProducer, ProducerRecord
from bridge.kafka.range_reader import range_consumer
from bridge.kafka.tail import Tail
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

NEW_YEAR = 1_767_225_600_000


@contextmanager
def opened(kafka: Cluster[Broker], topic: str) -> Iterator[Tail]:
    with closing(range_consumer({"bootstrap.servers": kafka.bootstrap}, "tail")) as consumer:
        yield Tail(consumer, topic)


def write(kafka: Cluster[Broker], topic: str, *times: int, partition: int = 0) -> None:
    """A transaction for each record, whose value is its time after the new year."""
    producer = FencedProducer({"bootstrap.servers": kafka.bootstrap}, kafka.unique("writer"))
    producer.open()
    for at in times:
        record = ProducerRecord(topic, b"k", b"%d" % at, partition, timestamp=NEW_YEAR + at)
        assert producer.write([record]) is None


def values(messages: Iterator[object] | list[object]) -> list[int]:
    return [int(message.value()) for message in messages]  # type: ignore[attr-defined]


def test_the_newest_come_by_their_time_the_newest_last(any_kafka: Cluster[Broker]) -> None:
    topic = any_kafka.create_topic(retention_ms=-1)
    write(any_kafka, topic, *range(0, 40, 2))
    write(any_kafka, topic, *range(1, 30, 2), partition=1)
    with opened(any_kafka, topic) as tail:
        assert values(list(tail.newest(10))) == [25, 26, 27, 28, 29, 30, 32, 34, 36, 38]
        assert values(list(tail.newest(1))) == [38]
        assert values(list(tail.newest(100))) == [*range(30), *range(30, 40, 2)]
        assert sorted(values(tail.all())) == [*range(30), *range(30, 40, 2)]


def test_what_comes_later_is_followed(any_kafka: Cluster[Broker]) -> None:
    topic = any_kafka.create_topic(retention_ms=-1)
    write(any_kafka, topic, 1, 2)
    with opened(any_kafka, topic) as tail:
        write(any_kafka, topic, 3)
        assert values(list(tail.newest(10))) == [1, 2]
        coming = tail.coming()
        assert values(islice(coming, 1)) == [3]
        write(any_kafka, topic, 4)
        assert values(islice(coming, 1)) == [4]


def test_an_empty_topic_has_no_newest(any_kafka: Cluster[Broker]) -> None:
    with opened(any_kafka, any_kafka.create_topic()) as tail:
        assert tail.newest(10) == list(tail.all()) == []


@pytest.mark.real_kafka
def test_a_topic_that_is_not_there_is_named(kafka: Cluster[Broker]) -> None:
    with pytest.raises(BridgeError, match="topic nowhere does not exist"), opened(kafka, "nowhere"):
        pass
