"""Records of a file get onto the topic, or are named by line and reason."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from bridge.core.errors import SchemaError
from bridge.kafka import serde, topics
from bridge.kafka.apps import Apps
from bridge.kafka.deletion_keys import DeletionKeys
from bridge.kafka.input_lines import InputRecord
from bridge.kafka.outgoing import OutgoingRecords
from bridge.kafka.refusal import Refusal, undecodable
from bridge.kafka.sending import Sent, file_producer, send
from bridge.streams import SINKS
from tests.kafka.records import GOOD, GOOD_DOC, USAGE, message, refusals, usage_topic
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

BAD = {**GOOD, "timestamp": 1_700_000_000}


def outgoing(registry: Any = None, **changes: Any) -> OutgoingRecords:
    topic = usage_topic(**changes)
    return OutgoingRecords(USAGE, topic, serde.wire(USAGE, topic, registry))


def lines(*records: Any) -> list[InputRecord]:
    return [InputRecord(number, record) for number, record in enumerate(records, 1)]


APPS = [
    {"from": "field", "name": "app"},
    {"from": "field", "name": "tool"},
    {"from": "header", "name": "x-app"},
    {"from": "key"},
    {"from": "constant", "value": "slack"},
]


@pytest.mark.parametrize(
    ("wire_format", "app"),
    [("json", app) for app in APPS] + [("avro_registry", app) for app in APPS if app.get("name") != "tool"],
)
def test_what_is_sent_is_what_the_bridge_reads(wire_format: str, app: dict[str, str]) -> None:
    registry = serde.registry_client({"url": "mock://sending"})
    made = outgoing(registry, format=wire_format, app=app)
    sent = made.message({**GOOD, made.app_field: "slack", "more": 1})
    received = message(sent.value, key=sent.key, headers=sent.headers)
    topic = usage_topic(format=wire_format, app=app)
    decoded = serde.decoder(USAGE, topic, registry=registry).decode([received])
    assert (refusals(decoded), decoded.apps, decoded.docs) == ([], ["slack"], [GOOD_DOC])


def test_an_app_that_the_schema_has_no_field_for_is_not_left_out_silently() -> None:
    registry = serde.registry_client({"url": "mock://sending"})
    with pytest.raises(SchemaError, match=r"usage\.avsc: lacks the field 'tool'"):
        outgoing(registry, format="avro_registry", app={"from": "field", "name": "tool"})


def test_the_key_is_one_for_a_person_in_an_app_and_shows_neither() -> None:
    made = outgoing()
    key = made.message(GOOD).key
    assert key == made.message({**GOOD, "eventName": "closed"}).key
    assert key != made.message({**GOOD, "email": "bob@example.com"}).key
    assert key != made.message({**GOOD, "app": "zoom"}).key
    assert len(key) == 16


@pytest.mark.parametrize(
    ("made", "record", "detail"),
    [
        (outgoing(), BAD, "timestamp 1700000000 looks like seconds"),
        (outgoing(), [GOOD], "the record is a list"),
        (outgoing(), GOOD_DOC, "field app is missing"),
        (outgoing(app={"from": "key"}), GOOD_DOC, "field app is missing"),
        (outgoing(app={"from": "field", "name": "tool"}), GOOD, "field tool is missing"),
        (outgoing(), {**GOOD, "app": "a\nb"}, "field app holds control characters"),
        (outgoing(), {**GOOD, "eventName": "\udcff"}, "eventName is not UTF-8 text"),
    ],
)
def test_what_the_bridge_would_refuse_is_not_sent(made: OutgoingRecords, record: Any, detail: str) -> None:
    with pytest.raises(Refusal) as refused:
        made.message(record)
    assert detail in refused.value.detail


def test_apps_that_the_bridge_does_not_know_are_not_sent() -> None:
    topic = usage_topic()
    made = OutgoingRecords(USAGE, topic, serde.wire(USAGE, topic), {"Slack": "8f14"}, "dead_letter")
    assert b'"app":"Slack"' in made.message({**GOOD, "app": "Slack"}).value
    with pytest.raises(Refusal, match="holds an app that"):
        made.message(GOOD)


def test_records_that_are_too_large_are_not_sent() -> None:
    topic = usage_topic()
    size = len(outgoing().message(GOOD).value)
    made = OutgoingRecords(USAGE, topic, serde.wire(USAGE, topic), max_record_bytes=size)
    assert made.message(GOOD)
    with pytest.raises(Refusal, match=f"the record has {size + 1} bytes where {size} are allowed"):
        made.message({**GOOD, "eventName": "document.opened!"})


def test_needed_fields_are_those_of_the_stream_and_of_the_app() -> None:
    assert outgoing().needed_fields == ["timestamp", "email", "eventName", "app"]
    assert outgoing(app={"from": "constant", "value": "x"}).needed_fields == [
        "timestamp",
        "email",
        "eventName",
    ]


def read_back(cluster: Cluster[Broker], topic: str, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "reader"})
    consumer.assign(
        [TopicPartition(topic, each, OFFSET_BEGINNING) for each in range(cluster.partitions(topic))]
    )
    found: list[Message] = []
    while len(found) < count:
        found += consumer.consume(count - len(found), 10)
    consumer.close()
    return found


def test_good_lines_arrive_and_bad_lines_are_named(any_kafka: Cluster[Broker]) -> None:
    topic, named = any_kafka.create_topic("sent"), []
    records = [*lines(GOOD, BAD, GOOD), InputRecord(4, refusal=undecodable("no JSON"))]
    producer = file_producer({"bootstrap.servers": any_kafka.bootstrap})
    sent = send(
        producer, topic, records, outgoing(), on_bad=lambda line, detail: named.append((line, detail))
    )
    assert (sent, sent.complete) == (Sent(delivered=2, bad=2), False)
    assert [line for line, _ in named] == [2, 4]
    decoded = serde.decoder(USAGE, usage_topic()).decode(read_back(any_kafka, topic, 2))
    assert decoded.docs == [GOOD_DOC] * 2


def test_strict_stops_at_the_first_bad_line(mock_kafka: Cluster[Broker]) -> None:
    def records() -> Iterator[InputRecord]:
        yield from lines(GOOD, BAD)
        pytest.fail("read on after a bad line")

    producer = file_producer({"bootstrap.servers": mock_kafka.bootstrap})
    assert send(producer, "sent", records(), outgoing(), strict=True) == Sent(delivered=1, bad=1)


def test_a_file_longer_than_the_producers_queue_is_sent_whole(mock_kafka: Cluster[Broker]) -> None:
    producer = file_producer(
        {"bootstrap.servers": mock_kafka.bootstrap, "queue.buffering.max.messages": 100, "log_level": 0}
    )
    sent = send(producer, "sent", lines(*[GOOD] * 2_500), outgoing())
    assert (sent, sent.complete) == (Sent(delivered=2_500), True)


def test_the_producer_is_idempotent(mock_kafka: Cluster[Broker]) -> None:
    with pytest.raises(KafkaException, match=r"max\.in\.flight"):
        file_producer({"bootstrap.servers": mock_kafka.bootstrap, "max.in.flight": 10})


class FakeProducer(Producer):
    """Answers each record, in order, with the next of `errors` (0 = delivered) at the next poll or flush."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)
        self.waiting: list[Callable[[], None]] = []
        self.refuses: KafkaException | None = None

    def produce(self, *_: Any, on_delivery: Callable[..., None], **__: Any) -> None:  # type: ignore[override]
        if self.refuses is not None:
            raise self.refuses
        code = self.errors.pop(0)
        self.waiting.append(lambda: on_delivery(KafkaError(code) if code else None, message(b"")))

    def poll(self, timeout: float = 0) -> int:
        while self.waiting:
            self.waiting.pop(0)()
        return 0

    def flush(self, timeout: float = 0) -> int:
        return self.poll()


def test_what_the_broker_refuses_for_its_size_is_a_bad_line() -> None:
    named: list[tuple[int, str]] = []
    producer = FakeProducer(0, KafkaError.MSG_SIZE_TOO_LARGE, 0)
    sent = send(producer, "t", lines(GOOD, GOOD, GOOD), outgoing(), on_bad=lambda *bad: named.append(bad))
    assert sent == Sent(delivered=2, bad=1)
    assert named[0][0] == 2
    assert named[0][1].startswith("the broker refuses the record: ")


def test_what_the_producer_refuses_for_its_size_is_a_bad_line(mock_kafka: Cluster[Broker]) -> None:
    producer = file_producer({"bootstrap.servers": mock_kafka.bootstrap, "message.max.bytes": 1000})
    made = outgoing(app={"from": "header", "name": "x-app"})
    # The value has its limit of 1 MiB; it is key and headers, in characters of 4 bytes, that go beyond.
    long = {**GOOD, "eventName": "🦆" * 256}
    assert send(producer, "sent", lines(GOOD, long, GOOD), made) == Sent(delivered=2, bad=1)


def test_a_broker_that_takes_nothing_ends_the_sending() -> None:
    producer = FakeProducer(0, *[KafkaError._MSG_TIMED_OUT] * 1_999)
    sent = send(producer, "t", lines(*[GOOD] * 2_000), outgoing())
    assert (sent.delivered, sent.undelivered, len(producer.errors)) == (1, 999, 1_000)
    assert sent.failure.startswith("line 2 was not delivered: ")
    assert not sent.complete


def test_a_producer_that_is_broken_is_not_the_lines_fault() -> None:
    producer = FakeProducer()
    producer.refuses = KafkaException(KafkaError(KafkaError._FATAL))
    with pytest.raises(KafkaException):
        send(producer, "t", lines(GOOD), outgoing())


def test_what_is_about_no_app_needs_none_and_has_the_person_for_its_key() -> None:
    stream, topic = SINKS["org_chart"], topics.overridden(topics.load_all()["org_chart"], {"format": "json"})
    made = OutgoingRecords(stream, topic, serde.wire(stream, topic), {"Slack": "8f14"}, "dead_letter")
    assert made.needed_fields == ["email"]
    sent = made.message({"email": "Ada@Example.com", "title": "Analyst", "shoe size": 38})
    assert (sent.key, sent.headers) == (b"ada@example.com", [])
    assert sent.value == b'{"email":"ada@example.com","title":"Analyst"}'


@pytest.mark.parametrize("app", [source for source in APPS if source != {"from": "key"}])
def test_the_key_of_a_user_is_that_of_the_users_deletion(app: dict[str, str]) -> None:
    """Else a deletion would be of nobody, or on another partition than the user it deletes."""
    users = SINKS["users"]
    assert users.deletions is not None
    topic = topics.overridden(topics.load_all()["users"], {"format": "json", "app": app})
    made = OutgoingRecords(users, topic, serde.wire(users, topic))
    sent = made.message({"email": "Ada@Example.com", app.get("name", "app"): "slack", "app": "slack"})
    keys = DeletionKeys(users.deletions, Apps(topic.app))
    assert keys.read(sent.key) == ("slack", {"email": "ada@example.com"})
