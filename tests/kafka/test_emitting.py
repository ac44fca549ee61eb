"""What a source writes, as messages."""

from typing import Any

import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import SchemaError
from bridge.core.polling import Emission, Write
from bridge.kafka.emitting import Emitter
from bridge.kafka.fenced_producer import FencedProducer
from bridge.kafka.serde import output_wire
from bridge.kafka.topics import load_outputs, overridden_output
from tests.kafka.records import message
from tests.kafka.test_fenced_producer import seen
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

NEW_YEAR = 1_767_225_600_000
DAY = 86_400_000
EVENT = {"eventId": "e1", "timestamp": NEW_YEAR}


def emitter(wire_format: str = "json", **names: str) -> Emitter:
    topics = {
        name: overridden_output(topic, names.get(name), wire_format) for name, topic in load_outputs().items()
    }
    return Emitter("audit_events", "openapi", topics, {name: output_wire(t) for name, t in topics.items()})


def event(**changes: Any) -> Emission:
    return Emission(**{"output": "audit_events", "key": "e1", "doc": EVENT, "at": NEW_YEAR, **changes})


def test_a_record_becomes_a_message_of_its_topic_at_its_time() -> None:
    window = (NEW_YEAR - DAY, NEW_YEAR + 1)
    [record] = emitter().records(Write([event()], {}, window), NEW_YEAR + DAY)
    assert (record.topic, record.key, record.partition) == ("productiv.audit-events", b"e1", None)
    assert record.value == b'{"eventId":"e1","timestamp":1767225600000}'
    assert record.timestamp == NEW_YEAR
    assert record.headers == [
        ("bridge.source", b"audit_events"),
        ("bridge.window", b"2025-12-31T00:00:00.000Z/2026-01-01T00:00:00.001Z"),
        ("bridge.fetched-at", b"2026-01-02T00:00:00.000Z"),
        ("bridge.contract", b"openapi"),
    ]


def test_a_message_says_which_trace_it_belongs_to() -> None:
    topics = load_outputs()
    wires = {name: output_wire(topic) for name, topic in topics.items()}
    traced = Emitter("audit_events", "openapi", topics, wires, lambda: [("traceparent", b"00-1-2-01")])
    [record] = traced.records(Write([event()], {}), NEW_YEAR)
    assert record.headers[-1] == ("traceparent", b"00-1-2-01")


def test_what_was_not_asked_for_by_time_has_no_window() -> None:
    [record] = emitter().records(Write([event()], {}), NEW_YEAR)
    assert [name for name, _ in record.headers] == ["bridge.source", "bridge.fetched-at", "bridge.contract"]


def test_what_is_gone_has_no_value() -> None:
    [record] = emitter().records(Write([Emission("apps", "slack", None)], {}), NEW_YEAR)
    assert (record.topic, record.key, record.value) == ("productiv.apps", b"slack", None)


@given(at=st.none() | st.integers(-(2**63), 2**63), fetched_at=st.integers(1, 2**42))
def test_no_time_is_one_that_kafka_refuses(at: int | None, fetched_at: int) -> None:
    [record] = emitter().records(Write([event(at=at)], {}), fetched_at)
    assert 0 < record.timestamp <= fetched_at
    assert record.timestamp == (at if at is not None and 0 < at < fetched_at else fetched_at)


def test_a_record_is_written_in_the_wire_format_of_its_topic() -> None:
    [record] = emitter("avro").records(Write([event()], {}), NEW_YEAR)
    read = output_wire(load_outputs()["audit_events"]).read_one(message(record.value), record.value or b"")
    assert {name: value for name, value in read.items() if value is not None} == EVENT


@pytest.mark.parametrize("doc", [{}, {"applicationId": 7}, {"applicationId": "a", "instances": "top secret"}])
def test_a_record_that_does_not_fit_its_schema_is_told_without_its_content(doc: Any) -> None:
    with pytest.raises(
        SchemaError, match=r"for topic productiv\.apps does not fit its schema .*apps\.avsc"
    ) as told:
        emitter("avro").records(Write([Emission("apps", "a", doc)], {}), NEW_YEAR)
    assert "secret" not in str(told.value)


@pytest.mark.real_kafka
def test_kafka_takes_the_messages_as_they_are(kafka: Cluster[Broker]) -> None:
    """Also those of long ago, and those that claim to come from the future."""
    topic = kafka.create_topic("audit-events", retention_ms=400 * DAY)
    fetched_at = NEW_YEAR
    made = emitter(audit_events=topic).records(
        Write([event(at=NEW_YEAR - 180 * DAY), event(key="e2", at=NEW_YEAR + 300 * 365 * DAY)], {}),
        fetched_at,
    )
    producer = FencedProducer({"bootstrap.servers": kafka.bootstrap}, kafka.unique("source"))
    producer.open()
    assert producer.write(made) is None
    arrived: dict[bytes | None, Message] = {each.key(): each for each in seen(kafka, topic)}
    assert arrived[b"e1"].timestamp()[1] == NEW_YEAR - 180 * DAY
    assert arrived[b"e2"].timestamp()[1] == fetched_at
    assert dict(arrived[b"e1"].headers() or [])["bridge.source"] == b"audit_events"
