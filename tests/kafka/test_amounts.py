"""Amounts keep every digit from the topic to the request's body, in each wire format."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.json_text import exact_json
from bridge.kafka import serde, topics
from bridge.kafka.avro_reader import AvroReader
from bridge.kafka.avro_schema import load_schema
from bridge.kafka.input_lines import ndjson_records
from bridge.kafka.wire_avro import AvroWriter
from bridge.productiv.contracts import CONTRACTS
from bridge.streams import SINKS
from tests.kafka.records import messages, refusals

SPEND = SINKS["spend"]
TOPIC = topics.load_all()["spend"]
REST = {"currency": "EUR", "date": "2026-01-31", "app": "crm"}
AMOUNTS = st.decimals(-(10**29) + 1, 10**29 - 1, allow_nan=False, allow_infinity=False, places=9)


def decoder(wire_format: str) -> serde.TopicDecoder:
    registry = serde.registry_client({"url": "mock://amounts"})
    return serde.decoder(SPEND, topics.overridden(TOPIC, {"format": wire_format}), registry=registry)


def body(docs: list[dict[str, Any]]) -> Any:
    """What the API is told, read without a float."""
    return json.loads(
        CONTRACTS["openapi"].calls[SPEND.operation].body(docs), parse_float=Decimal, parse_int=Decimal
    )["spendData"]


@given(AMOUNTS)
@pytest.mark.parametrize("form", ["number", "text"])
def test_json_numbers_and_text(form: str, amount: Decimal) -> None:
    written = f"{amount:f}" if form == "number" else f'"{amount:f}"'
    value = f'{{"amount": {written}, {json.dumps(REST)[1:]}'.encode()
    [sent] = body(decoder("json").decode(messages([value])).docs)
    assert str(sent["amount"]) == str(amount) or sent["amount"] == amount


@given(AMOUNTS)
def test_avro_decimals(amount: Decimal) -> None:
    value = AvroWriter(load_schema(TOPIC.schema_path)).write({**REST, "amount": amount})
    [sent] = body(decoder("avro").decode(messages([value])).docs)
    assert sent["amount"] == amount


@pytest.mark.parametrize("written", ["0.1", "1e2", "1E-9", "-0.01", "7", "1.10"])
def test_numbers_of_any_spelling_are_what_they_say(written: str) -> None:
    value = f'{{"amount": {written}, {json.dumps(REST)[1:]}'.encode()
    [sent] = body(decoder("json").decode(messages([value])).docs)
    assert sent["amount"] == Decimal(written)


@pytest.mark.parametrize(
    "written", ["NaN", "Infinity", "1e999999999", "1e-10", "9" * 5000, "[" * 100_000, "1.5\xff"]
)
def test_monsters_are_refused_and_harm_no_neighbour(written: str) -> None:
    bad = f'{{"amount": {written}, {json.dumps(REST)[1:]}'.encode("latin-1")
    good = f'{{"amount": 1.5, {json.dumps(REST)[1:]}'.encode()
    decoded = decoder("json").decode(messages([bad, good]))
    assert [doc["amount"] for doc in decoded.docs] == [Decimal("1.5")]
    assert len(refusals(decoded)) == 1


def test_a_producer_s_own_precision_and_scale_are_read_as_written() -> None:
    own = load_schema(TOPIC.schema_path)
    fields = [{**f} for f in own["fields"]]
    fields[0]["type"] = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
    writer = {**own, "fields": fields}
    value = AvroWriter(writer).write({**REST, "amount": Decimal("1234567890.12")})
    assert AvroReader(writer, own).one(value)["amount"] == Decimal("1234567890.12")


def test_lines_of_a_file_keep_their_digits() -> None:
    line = b'{"amount": 0.1234567890123456789012345}\n'
    [record] = ndjson_records([line], exact=True)
    assert record.record == {"amount": Decimal("0.1234567890123456789012345")}


def test_only_streams_that_say_so_pay_for_exact_numbers() -> None:
    assert type(exact_json(b"[1.5]")[0]) is Decimal
    value = b'{"timestamp": 1700000000000, "email": "a@b.co", "eventName": "x", "app": "a", "n": 1.5}'
    usage = serde.wire(SINKS["usage"], topics.overridden(topics.load_all()["usage"], {"format": "json"}))
    assert type(usage.read_one(messages([value])[0], value)["n"]) is float


@pytest.mark.parametrize("stream", SINKS)
def test_a_stream_has_an_in_doubt_topic_exactly_if_it_must_not_be_sent_twice(stream: str) -> None:
    described = topics.load_all()[stream]
    assert (described.in_doubt is None) == SINKS[stream].resend_safe
