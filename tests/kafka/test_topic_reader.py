"""A topic is read to its very end, and from there on, without a group."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from itertools import count as forever
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from bridge.core.errors import BridgeError
from bridge.kafka.topic_reader import TopicReader
from tests.flows.process import eventually
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

GROUP = "topic-reader-test"


@contextmanager
def opened(kafka: Cluster[Broker], topic: str, **options: Any) -> Iterator[TopicReader]:
    reader = TopicReader({"bootstrap.servers": kafka.bootstrap}, topic, GROUP, **options)
    try:
        yield reader
    finally:
        reader.close()


def produce(kafka: Cluster[Broker], topic: str, count: int, **settings: Any) -> Producer:
    producer = Producer({"bootstrap.servers": kafka.bootstrap, **settings})
    if settings:
        producer.init_transactions(30)
        producer.begin_transaction()
    for number in range(count):
        producer.produce(topic, f"{number}".encode(), f"{number}".encode())
    assert producer.flush(30) == 0
    return producer


def read(reader: TopicReader) -> int:
    return sum(len(chunk) for chunk in reader.unread(reader.ends()))


def test_all_of_it_is_read_and_then_only_what_is_new(any_kafka: Cluster[Broker]) -> None:
    topic = any_kafka.create_topic()
    produce(any_kafka, topic, 12_000)
    with opened(any_kafka, topic) as reader:
        assert read(reader) == 12_000
        assert read(reader) == 0
        produce(any_kafka, topic, 3)
        assert read(reader) == 3
        assert reader.removed() == 0


def test_an_empty_topic_ends_at_once(any_kafka: Cluster[Broker]) -> None:
    with opened(any_kafka, any_kafka.create_topic()) as reader:
        assert read(reader) == 0


@pytest.mark.real_kafka
def test_a_transaction_counts_once_it_is_committed(kafka: Cluster[Broker]) -> None:
    """An open one does not keep the reading from its end, nor do the marks that transactions leave."""
    topic = kafka.create_topic()
    produce(kafka, topic, 5)
    name = kafka.unique("transaction")
    with opened(kafka, topic) as reader:
        producer = produce(kafka, topic, 7, **{"transactional.id": name})
        assert read(reader) == 5
        producer.commit_transaction(30)
        # The answer to a commit comes before its marks are in every partition.
        found = accumulate(read(reader) for _ in forever())
        eventually(lambda: next(found) == 7, "the commit is seen")
        produce(kafka, topic, 9, **{"transactional.id": name}).abort_transaction(30)
        assert read(reader) == 0


@pytest.mark.real_kafka
def test_past_open_transactions_it_waits_for_their_end(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic(partitions=1)
    producer = produce(kafka, topic, 2, **{"transactional.id": kafka.unique("transaction")})
    produce(kafka, topic, 3)
    with opened(kafka, topic, past_open=True, patience=0.5) as reader:
        with pytest.raises(BridgeError, match="was not reached"):
            read(reader)
        producer.commit_transaction(30)
    with opened(kafka, topic, past_open=True) as reader:
        assert read(reader) == 5


def test_of_some_partitions_only_those_are_read(any_kafka: Cluster[Broker]) -> None:
    topic = any_kafka.create_topic()
    producer = Producer({"bootstrap.servers": any_kafka.bootstrap})
    for number in range(6):
        producer.produce(topic, f"{number}".encode(), partition=number % 3)
    assert producer.flush(30) == 0
    with opened(any_kafka, topic) as reader:
        assert [message.value() for message in reader.news([1])] == [b"1", b"4"]
        assert sorted(message.value() or b"" for message in reader.news([1, 2])) == [b"2", b"5"]


@pytest.mark.real_kafka
def test_it_joins_no_group_and_commits_nothing(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic()
    produce(kafka, topic, 5)
    with opened(kafka, topic) as reader:
        assert read(reader) == 5
        groups = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_consumer_groups().result(30)
        assert GROUP not in [group.group_id for group in groups.valid]


@pytest.mark.real_kafka
@pytest.mark.parametrize("policy", ["compact", "delete", "compact,delete"])
def test_the_cleanup_policy_is_told(kafka: Cluster[Broker], policy: str) -> None:
    with opened(kafka, kafka.create_topic(cleanup_policy=policy)) as reader:
        assert sorted((reader.cleanup_policy() or "").split(",")) == policy.split(",")


def test_a_cluster_without_a_controller_tells_no_policy(mock_kafka: Cluster[Broker]) -> None:
    with opened(mock_kafka, mock_kafka.create_topic()) as reader:
        assert reader.cleanup_policy() is None


@pytest.mark.real_kafka
def test_offsets_removed_from_the_beginning_are_counted(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic(partitions=1)
    produce(kafka, topic, 10)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.delete_records([TopicPartition(topic, 0, 4)]).values():
        future.result(30)
    with opened(kafka, topic) as reader:
        assert reader.removed() == 4
        assert read(reader) == 6


@pytest.mark.real_kafka
def test_a_topic_that_does_not_exist_is_named(kafka: Cluster[Broker]) -> None:
    with opened(kafka, "nowhere-at-all") as reader:
        assert not reader.exists()
        with pytest.raises(BridgeError, match="cannot read topic nowhere-at-all"):
            reader.ends()


def test_an_end_that_is_not_reached_is_an_error(mock_kafka: Cluster[Broker]) -> None:
    topic = mock_kafka.create_topic()
    produce(mock_kafka, topic, 1)
    ticks = iter(range(0, 10_000, 100))
    with opened(mock_kafka, topic, patience=1.0, clock=lambda: float(next(ticks))) as reader:
        # The clock runs so fast that the first poll brings nothing in time.
        reader._kafka.pause([TopicPartition(topic, part) for part in range(4)])
        with pytest.raises(BridgeError, match="was not reached: nothing came for 1 s"):
            read(reader)


def test_a_reading_can_be_stopped(mock_kafka: Cluster[Broker]) -> None:
    topic = mock_kafka.create_topic()
    produce(mock_kafka, topic, 1)
    with opened(mock_kafka, topic) as reader:
        reader.stop()
        with pytest.raises(BridgeError, match="was stopped"):
            read(reader)
