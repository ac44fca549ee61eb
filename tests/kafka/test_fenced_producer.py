"""A transaction is there as a whole or not at all, and only from the newest owner of its id."""

from threading import Thread
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from bridge.core.errors import BridgeError
from bridge.kafka import fenced_producer
from bridge.kafka.fenced_producer import FencedProducer, ProducerRecord
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.mock import MockBroker


def opened(kafka: Cluster[Broker], name: str, **settings: Any) -> FencedProducer:
    producer = FencedProducer({"bootstrap.servers": kafka.bootstrap, **settings}, name)
    producer.open()
    return producer


def seen(kafka: Cluster[Broker], topic: str) -> list[Message]:
    """What a reader of committed records finds up to the end of all partitions."""
    reading = {"group.id": "seen", "isolation.level": "read_committed", "enable.partition.eof": True}
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, **reading})
    partitions = range(kafka.partitions(topic))
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found, ended = [], 0
    while ended < len(partitions):
        message = consumer.poll(30)
        assert message is not None, "the end was not reached"
        if (error := message.error()) is None:
            found.append(message)
        else:
            assert error.code() == KafkaError._PARTITION_EOF
            ended += 1
    consumer.close()
    return found


def values(kafka: Cluster[Broker], topic: str) -> list[bytes | None]:
    return sorted((message.value() for message in seen(kafka, topic)), key=str)


def test_records_for_several_topics_arrive_as_they_were_given(any_kafka: Cluster[Broker]) -> None:
    one, two = any_kafka.create_topic("one"), any_kafka.create_topic("two", cleanup_policy="compact")
    producer = opened(any_kafka, any_kafka.unique("writer"))
    given = ProducerRecord(one, b"k", b"v", 2, [("a", b"1"), ("a", "2"), ("b", None)], 1_767_225_600_000)
    assert producer.write([given, ProducerRecord(two, b"gone", None)]) is None
    (arrived,) = seen(any_kafka, one)
    assert (arrived.key(), arrived.value(), arrived.partition()) == (b"k", b"v", 2)
    assert arrived.headers() == [("a", b"1"), ("a", b"2"), ("b", None)]
    assert arrived.timestamp()[1] == 1_767_225_600_000
    (gone,) = seen(any_kafka, two)
    assert (gone.key(), gone.value()) == (b"gone", None)
    assert gone.timestamp()[1] > 1_767_225_600_000  # now


def test_more_records_than_the_queue_holds_are_one_transaction(any_kafka: Cluster[Broker]) -> None:
    topic = any_kafka.create_topic()
    producer = opened(any_kafka, any_kafka.unique("writer"), **{"queue.buffering.max.messages": 10})
    assert producer.write([ProducerRecord(topic, None, b"%d" % n) for n in range(100)]) is None
    assert len(seen(any_kafka, topic)) == 100


@pytest.mark.real_kafka
def test_what_an_earlier_owner_left_open_is_never_seen(kafka: Cluster[Broker]) -> None:
    topic, name = kafka.create_topic(), kafka.unique("writer")
    crashed = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": name})
    crashed.init_transactions(30)
    crashed.begin_transaction()
    crashed.produce(topic, b"half")
    assert crashed.flush(30) == 0
    assert opened(kafka, name).write([ProducerRecord(topic, None, b"whole")]) is None
    assert values(kafka, topic) == [b"whole"]


@pytest.mark.real_kafka
def test_whoever_opens_the_id_ends_the_writer_before(kafka: Cluster[Broker]) -> None:
    topic, name = kafka.create_topic(), kafka.unique("writer")
    first = opened(kafka, name)
    assert first.write([ProducerRecord(topic, None, b"first")]) is None
    second = opened(kafka, name)
    for _ in range(2):
        assert first.write([ProducerRecord(topic, None, b"too late")])
        assert first.fenced
    assert second.write([ProducerRecord(topic, None, b"second")]) is None
    assert not second.fenced
    assert values(kafka, topic) == [b"first", b"second"]


@pytest.mark.real_kafka
@pytest.mark.parametrize("others", [0, 20_000])
def test_a_record_that_the_topic_never_takes_is_told(kafka: Cluster[Broker], others: int) -> None:
    topic, small = kafka.create_topic(), kafka.create_topic("small", max_message_bytes=1000)
    producer = opened(kafka, kafka.unique("writer"))
    records = [ProducerRecord(small, None, b"x" * 2000), *[ProducerRecord(topic, None, b"o")] * others]
    with pytest.raises(
        BridgeError, match=f"topic {small} takes no such record, of 2000 bytes: .*size too large"
    ):
        producer.write(records)
    assert not producer.fenced
    # Where a record was refused, librdkafka leaves a gap in its sequence numbers; one more try mends that.
    good = [ProducerRecord(topic, None, b"next"), ProducerRecord(small, None, b"y")]
    assert any(producer.write(good) is None for _ in range(2))
    assert values(kafka, topic) == [b"next"]
    assert values(kafka, small) == [b"y"]


def test_a_record_that_no_topic_takes_is_told(any_kafka: Cluster[Broker]) -> None:
    topic = any_kafka.create_topic()
    producer = opened(any_kafka, any_kafka.unique("writer"))
    with pytest.raises(BridgeError, match=f"topic {topic} takes no such record, of .*size too large"):
        producer.write([ProducerRecord(topic, None, b"x" * 17 * 1024 * 1024)])
    assert producer.write([ProducerRecord(topic, None, b"next")]) is None
    assert values(any_kafka, topic) == [b"next"]


@pytest.mark.real_kafka
def test_what_may_go_away_is_to_be_tried_again(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic(partitions=1)
    producer = opened(kafka, kafka.unique("writer"))
    assert producer.write([ProducerRecord(topic, None, b"lost", 7)])  # no such partition, as yet
    assert not producer.fenced
    assert producer.write([ProducerRecord(topic, None, b"found", 0)]) is None
    assert values(kafka, topic) == [b"found"]


@pytest.mark.real_kafka
def test_the_way_out_for_a_topic_that_takes_only_small_batches_is_told(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic(partitions=1, max_message_bytes=1000)
    records = [ProducerRecord(topic, None, b"x" * 100)] * 100
    name = kafka.unique("writer")
    with pytest.raises(BridgeError, match=r"max\.message\.bytes .* above batch\.size in kafka"):
        opened(kafka, name).write(records)
    assert opened(kafka, name, **{"batch.size": 900}).write(records) is None


@pytest.mark.real_kafka
def test_a_record_without_a_key_for_a_compacted_topic_is_told(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic(cleanup_policy="compact")
    with pytest.raises(BridgeError, match="a compacted topic needs a key"):
        opened(kafka, kafka.unique("writer")).write([ProducerRecord(topic, None, b"v")])


def test_a_record_that_gets_nowhere_is_given_up_long_before_its_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fenced_producer, "RECORD_SECONDS", 1.0)
    monkeypatch.setattr(fenced_producer, "COMMIT_SECONDS", 0.2)
    monkeypatch.setattr(fenced_producer, "CALL_SECONDS", 1.0)
    broker = MockBroker()
    broker.create(["topic"])
    producer = FencedProducer({"bootstrap.servers": broker.bootstrap, "log_level": 0}, "writer")
    producer.open()
    assert producer.write([ProducerRecord("topic", None, b"there")]) is None
    broker.close()
    told: list[str | None] = []
    writer = Thread(target=lambda: told.append(producer.write([ProducerRecord("topic", None, b"nowhere")])))
    writer.start()
    writer.join(30)
    assert told not in ([], [None])
