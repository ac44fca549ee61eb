"""A range of time becomes offsets: half-open, only what is committed, and never what comes later."""

from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from bridge.core.errors import BridgeError
from bridge.kafka.offset_range import OffsetRange, offset_ranges
from bridge.kafka.range_reader import range_consumer
from tests.kafka.records import usage_topic
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster


@pytest.fixture
def asking(kafka: Cluster[Broker]) -> Iterator[Consumer]:
    with closing(range_consumer({"bootstrap.servers": kafka.bootstrap}, "reader")) as consumer:
        yield consumer


def produce(cluster: Cluster[Broker], topic: str, partition: int, *times_ms: int) -> None:
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for time_ms in times_ms:
        producer.produce(topic, b"v", partition=partition, timestamp=time_ms)
    assert producer.flush(30) == 0


def spans(consumer: Consumer, topic: str, begin_ms: int, end_ms: int) -> list[tuple[int, int]]:
    ranges = offset_ranges(consumer, usage_topic(topic=topic), begin_ms, end_ms)
    assert [each.partition for each in ranges] == list(range(len(ranges)))
    return [(each.begin, each.end) for each in ranges]


@pytest.mark.real_kafka
def test_the_begin_is_in_the_range_and_the_end_is_not(kafka: Cluster[Broker], asking: Consumer) -> None:
    topic = kafka.create_topic("range", 3, retention_ms=-1)
    produce(kafka, topic, 0, 1000, 1010, 1020, 1030)
    produce(kafka, topic, 1, 500, 1020)
    assert spans(asking, topic, 1010, 1030) == [(1, 3), (1, 2), (0, 0)]
    assert spans(asking, topic, 1011, 1031) == [(2, 4), (1, 2), (0, 0)]
    assert spans(asking, topic, 0, 10**12) == [(0, 4), (0, 2), (0, 0)]
    assert spans(asking, topic, 1031, 10**12) == [(4, 4), (2, 2), (0, 0)]
    assert spans(asking, topic, 0, 500) == [(0, 0), (0, 0), (0, 0)]


@pytest.mark.real_kafka
def test_ranges_that_meet_share_no_record_and_leave_none_out(
    kafka: Cluster[Broker], asking: Consumer
) -> None:
    """Producers set the times, so they need not be in order."""
    topic = kafka.create_topic("range", 1, retention_ms=-1)
    produce(kafka, topic, 0, 1000, 1030, 1005, 1020, 990, 1040)
    found = [spans(asking, topic, begin, end)[0] for begin, end in ((0, 1010), (1010, 1035), (1035, 2000))]
    assert found == [(0, 1), (1, 5), (5, 6)]


@pytest.mark.real_kafka
def test_an_open_transaction_ends_the_range(kafka: Cluster[Broker], asking: Consumer) -> None:
    topic = kafka.create_topic("range", 1, retention_ms=-1)
    produce(kafka, topic, 0, 1000, 1010)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"v", partition=0, timestamp=1020)
    producer.flush(30)
    produce(kafka, topic, 0, 1030)
    assert spans(asking, topic, 0, 10**12) == [(0, 2)]
    producer.abort_transaction(30)


@pytest.mark.real_kafka
def test_records_that_retention_took_are_not_in_the_range(kafka: Cluster[Broker], asking: Consumer) -> None:
    topic = kafka.create_topic("range", 1, retention_ms=-1)
    produce(kafka, topic, 0, 1000, 1010, 1020)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.delete_records([TopicPartition(topic, 0, 2)])[TopicPartition(topic, 0)].result(30)
    assert spans(asking, topic, 0, 10**12) == [(2, 3)]
    assert spans(asking, topic, 0, 1010) == [(2, 2)]


def test_a_topic_that_does_not_exist_is_named_and_not_created(any_kafka: Cluster[Broker]) -> None:
    topic = any_kafka.unique("nowhere")
    with closing(range_consumer({"bootstrap.servers": any_kafka.bootstrap}, "reader")) as consumer:
        for _ in range(2):
            with pytest.raises(BridgeError, match=rf"topic {topic} does not exist; sinks\.usage names"):
                offset_ranges(consumer, usage_topic(topic=topic), 0, 1)


class Answers:
    """A consumer with one partition, whose broker answers so."""

    def __init__(
        self, edges: tuple[int, int] | None, begin: int, end: int, error: int = 0, topic_error: int = 0
    ):
        self._edges = edges
        self._offsets = [begin, end]
        self._error = error
        self._topic_error = KafkaError(topic_error) if topic_error else None

    def list_topics(self, **_: Any) -> Any:
        topic = SimpleNamespace(error=self._topic_error, partitions={0: None})
        return SimpleNamespace(topics={"productiv.usage": topic})

    def get_watermark_offsets(self, _: TopicPartition, timeout: float) -> tuple[int, int] | None:
        return self._edges

    def offsets_for_times(self, times: list[TopicPartition], timeout: float) -> list[Any]:
        error = KafkaError(self._error) if self._error else None
        return [SimpleNamespace(partition=0, offset=self._offsets.pop(0), error=error)]


def asked(answers: Answers) -> OffsetRange:
    [found] = offset_ranges(cast(Consumer, answers), usage_topic(), 1, 2)
    return found


@pytest.mark.parametrize(
    ("edges", "begin", "end", "found"),
    [
        ((10, 90), 20, 40, (20, 40)),
        ((10, 90), 20, -1, (20, 90)),
        ((10, 90), -1, -1, (90, 90)),
        ((10, 90), 20, 95, (20, 90)),  # the topic has grown between the two questions
        ((10, 90), 93, 95, (90, 90)),
        ((30, 90), 20, 40, (30, 40)),  # or shrunk
        ((50, 90), 20, 40, (50, 50)),
    ],
)
def test_a_topic_may_change_between_the_questions(
    edges: tuple[int, int], begin: int, end: int, found: tuple[int, int]
) -> None:
    assert asked(Answers(edges, begin, end)) == OffsetRange(0, *found)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (Answers((0, 9), 1, 2, error=KafkaError.TOPIC_AUTHORIZATION_FAILED), "Topic authorization failed"),
        (Answers((0, 9), 1, 2, topic_error=KafkaError.LEADER_NOT_AVAILABLE), "Leader not available"),
        (Answers(None, 1, 2), "partition 0: timed out"),
    ],
)
def test_a_cluster_that_does_not_tell_is_named(answers: Answers, said: str) -> None:
    with pytest.raises(BridgeError, match=rf"Kafka does not tell the offsets of productiv\.usage.*{said}"):
        asked(answers)


def test_a_cluster_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.kafka.offset_range.ANSWER_SECONDS", 0.2)
    away = {"bootstrap.servers": "127.0.0.1:1", "log_level": "0"}
    with (
        closing(range_consumer(away, "reader")) as consumer,
        pytest.raises(BridgeError, match=r"does not tell the offsets of productiv\.usage: "),
    ):
        offset_ranges(consumer, usage_topic(), 0, 1)
