import time

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer

from bridge.kafka.embedded import PARTITIONS
from tests.kafka_broker.broker import Broker, OwnBroker
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.mock import MockBroker
from tests.kafka_broker.ready import serves

VALUES = [b"%d" % n for n in range(100)]


def write(cluster: Cluster[Broker], topic: str, values: list[bytes], **settings: str) -> None:
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "log_level": 0, **settings})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


def read(cluster: Cluster[Broker], topic: str, count: int) -> list[bytes]:
    """As many values as asked for, sorted, or those that came within 30 seconds."""
    settings = {
        "bootstrap.servers": cluster.bootstrap,
        "group.id": cluster.unique("readers"),
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "cooperative-sticky",
        "log_level": 0,
    }
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    messages: list[Message] = []
    deadline = time.monotonic() + 30
    while len(messages) < count and time.monotonic() < deadline:
        messages += [each for each in consumer.consume(count, timeout=0.5) if each.error() is None]
    consumer.commit(asynchronous=False)
    consumer.close()
    return sorted((value for each in messages if isinstance(value := each.value(), bytes)), key=int)


def test_round_trip(any_kafka: Cluster[Broker]) -> None:
    topic = any_kafka.create_topic("round-trip")
    write(any_kafka, topic, VALUES)
    assert read(any_kafka, topic, len(VALUES)) == VALUES


def test_mock_has_its_own_number_of_partitions(mock_kafka: Cluster[MockBroker]) -> None:
    assert mock_kafka.partitions(mock_kafka.create_topic(partitions=9)) == PARTITIONS


@pytest.mark.real_kafka
@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_compression(kafka: Cluster[Broker], compression: str) -> None:
    """The broker decompresses here, as the topic is set to another compression than the producer."""
    topic = kafka.create_topic("compressed", compression_type="gzip" if compression == "zstd" else "zstd")
    write(kafka, topic, VALUES, **{"compression.type": compression})
    assert read(kafka, topic, len(VALUES)) == VALUES


@pytest.mark.real_kafka
def test_as_many_partitions_as_asked_for(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("wide", partitions=9, cleanup_policy="compact")
    assert kafka.partitions(topic) == 9


@pytest.mark.real_kafka
def test_a_misspelt_topic_is_not_made(kafka: Cluster[Broker]) -> None:
    name = kafka.unique("nobody-made-this")
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    error = producer.list_topics(name, timeout=30).topics[name].error
    assert error is not None
    assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


@pytest.mark.real_kafka
def test_transactions(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("transactions")
    settings = {"bootstrap.servers": kafka.bootstrap, "transactional.id": kafka.unique("tx"), "log_level": 0}
    producer = Producer(settings)
    producer.init_transactions(30)
    for values, end in [
        ([b"100", b"101"], producer.abort_transaction),
        (VALUES, producer.commit_transaction),
    ]:
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value)
        end(30)
    assert read(kafka, topic, len(VALUES)) == VALUES


@pytest.mark.real_kafka
def test_restart_keeps_data_and_address(own_kafka: Cluster[OwnBroker]) -> None:
    topic = own_kafka.create_topic("kept", partitions=2)
    write(own_kafka, topic, VALUES)
    before = own_kafka.bootstrap
    own_kafka.broker.restart()
    assert own_kafka.bootstrap == before
    assert read(own_kafka, topic, len(VALUES)) == VALUES


@pytest.mark.real_kafka
def test_kill_and_start(own_kafka: Cluster[OwnBroker]) -> None:
    topic = own_kafka.create_topic("survivor", partitions=2)
    write(own_kafka, topic, VALUES)
    own_kafka.broker.kill()
    assert not serves(own_kafka.bootstrap, seconds=0.5)
    own_kafka.broker.start()
    write(own_kafka, topic, [b"100"])
    assert read(own_kafka, topic, len(VALUES) + 1) == [*VALUES, b"100"]


@pytest.mark.real_kafka
def test_pause_and_resume(own_kafka: Cluster[OwnBroker]) -> None:
    topic = own_kafka.create_topic("frozen", partitions=2)
    own_kafka.broker.pause()
    assert not serves(own_kafka.bootstrap, seconds=1)
    own_kafka.broker.resume()
    write(own_kafka, topic, VALUES)
    assert read(own_kafka, topic, len(VALUES)) == VALUES
