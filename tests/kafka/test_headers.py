"""A header whose name is not UTF-8 must not end the process, neither in decoding nor on the dead letters."""

import asyncio
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from bridge.core.record import Refused
from bridge.kafka import serde
from bridge.kafka.dead_letters import DeadLetters, own_headers
from bridge.kafka.headers import all_headers
from bridge.kafka.journal_entries import headers_of
from tests.kafka import raw_record
from tests.kafka.letters import committed
from tests.kafka.records import GOOD, GOOD_DOC, USAGE, json_values, message, usage_topic
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.mock import MockBroker


@pytest.fixture(autouse=True)
def _hot() -> None:
    """Calls that were made often are made in another way, without a look at errors that were left behind."""
    for _ in range(100):
        all_headers(message(b"", headers=[("a", b"1")]))


@pytest.fixture
def odd(mock_kafka: Cluster[MockBroker]) -> Iterator[Message]:
    """A message with such a header among others, as a consumer hands it over."""
    topic = mock_kafka.create_topic("odd", 1)
    [value] = json_values(GOOD)
    raw_record.put(mock_kafka.bootstrap, topic, value, [(b"app", b"zoom"), (b"a\xff", b"1"), (b"b", b"2")])
    settings = {"bootstrap.servers": mock_kafka.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = consumer.poll(30)
    assert found is not None
    assert found.value() == value
    yield found
    consumer.close()


def test_it_has_no_headers_however_often_it_is_asked(odd: Message) -> None:
    assert [all_headers(odd), own_headers(odd), headers_of(odd), all_headers(odd)] == [[], [], {}, []]


def test_it_is_decoded_or_refused_for_the_header_that_it_lacks(odd: Message) -> None:
    assert serde.decoder(USAGE, usage_topic()).decode([odd]).docs == [GOOD_DOC]
    by_header = usage_topic(app={"from": "header", "name": "app"})
    [refused] = serde.decoder(USAGE, by_header).decode([odd]).refused
    assert refused.detail.startswith("header app is missing")
    registry = serde.registry_client({"url": "mock://headers"})
    [refused] = (
        serde.decoder(USAGE, usage_topic(format="avro_registry"), registry=registry).decode([odd]).refused
    )
    assert refused.reason == "undecodable"


def test_it_is_kept_as_a_dead_letter(odd: Message, mock_kafka: Cluster[MockBroker]) -> None:
    topic = mock_kafka.create_topic("dead", 1)
    letters = DeadLetters({"bootstrap.servers": mock_kafka.bootstrap}, topic)
    asyncio.run(asyncio.wait_for(letters.write([Refused(odd, "invalid", "for a test")]), 60))
    letters.close()
    [kept] = committed(mock_kafka, topic)
    assert kept.value() == odd.value()
    assert headers_of(kept)["reason"] == "invalid"


def test_a_million_headers_are_headers() -> None:
    headers = [(f"h{number}", None) for number in range(1_000_000)]
    by_header = serde.decoder(USAGE, usage_topic(app={"from": "header", "name": "app"}))
    [value] = json_values(GOOD)
    [refused] = by_header.decode([message(value, headers=headers)]).refused
    assert refused.detail.startswith("header app is missing")
    assert by_header.decode([message(value, headers=[*headers, ("app", b"zoom")])]).apps == ["zoom"]
