"""Topics with a schema registry: each record is read with the schema that wrote it."""

from typing import Any
from uuid import UUID

import orjson
import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from bridge.core.errors import SchemaError
from bridge.core.record import Decoded
from bridge.kafka import serde
from bridge.kafka.avro_schema import load_schema
from bridge.kafka.serde import SchemaRegistryUnavailable
from bridge.kafka.wire_avro import AvroWriter
from tests.kafka.records import GOOD, GOOD_DOC, USAGE, message, messages, refusals, usage_topic

TOPIC = usage_topic(format="avro_registry")
SCHEMA = load_schema(TOPIC.schema_path)
TEXTS = [{"name": "email", "type": "string"}, {"name": "eventName", "type": "string"}]
MICROS = {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-micros"}}
IN_MICROS = {"type": "record", "name": "Event", "fields": [*TEXTS, MICROS, {"name": "app", "type": "string"}]}


@pytest.fixture
def registry() -> SchemaRegistryClient:
    return serde.registry_client({"url": "mock://test"})


def registered(registry: SchemaRegistryClient, schema: Any, **more: Any) -> bytes:
    """The frame of a schema, now registered."""
    text = orjson.dumps(schema).decode()
    return b"\0" + registry.register_schema("other", Schema(text, "AVRO", **more)).to_bytes(4)


def decoded(registry: SchemaRegistryClient, *values: bytes) -> Decoded:
    return serde.decoder(USAGE, TOPIC, registry=registry).decode(messages(values))


def test_what_the_wire_writes_it_reads(registry: SchemaRegistryClient) -> None:
    wire = serde.wire(USAGE, TOPIC, registry)
    values = [wire.write(GOOD), wire.write(GOOD)]
    assert values[0][:5] == b"\0\0\0\0\x01"
    assert registry.get_subjects() == ["productiv.usage-value"]
    assert decoded(registry, *values).docs == [GOOD_DOC] * 2


def test_records_of_several_schemas_mix_in_a_chunk(registry: SchemaRegistryClient) -> None:
    ours, theirs = registered(registry, SCHEMA), registered(registry, IN_MICROS)
    value = ours + AvroWriter(SCHEMA).write(GOOD)
    in_micros = theirs + AvroWriter(IN_MICROS).write({**GOOD, "timestamp": 1_700_000_000_000_000})
    result = decoded(registry, value, in_micros, in_micros, value)
    assert result.docs == [GOOD_DOC] * 4
    assert [origin.offset() for origin in result.origins] == [0, 1, 2, 3]


def test_a_schema_is_asked_for_once(registry: SchemaRegistryClient, monkeypatch: pytest.MonkeyPatch) -> None:
    value = serde.wire(USAGE, TOPIC, registry).write(GOOD)
    decoder = serde.decoder(USAGE, TOPIC, registry=registry)
    decoder.decode(messages([value]))
    monkeypatch.setattr(registry, "get_schema", None)
    assert decoder.decode(messages([value])).docs == [GOOD_DOC]


@pytest.mark.parametrize("in_header", [False, True])
def test_a_schema_may_be_named_by_guid(registry: SchemaRegistryClient, in_header: bool) -> None:
    text = orjson.dumps(SCHEMA).decode()
    guid = registry.register_schema_full_response("other", Schema(text, "AVRO")).guid
    frame, body = b"\x01" + UUID(guid).bytes, AvroWriter(SCHEMA).write(GOOD)
    headers = [("trace", b"1"), ("__value_schema_id", frame)] if in_header else None
    sent = message(body if in_header else frame + body, headers=headers)
    assert serde.decoder(USAGE, TOPIC, registry=registry).decode([sent]).docs == [GOOD_DOC]


def test_the_app_may_be_in_a_field_that_only_the_producers_know(registry: SchemaRegistryClient) -> None:
    theirs = {**IN_MICROS, "fields": [*TEXTS, MICROS, {"name": "tool", "type": "string"}]}
    dated = {"name": "day", "type": {"type": "int", "logicalType": "date"}}
    topic = usage_topic(format="avro_registry", app={"from": "field", "name": "tool"})
    record = {**GOOD, "timestamp": 1_700_000_000_000_000, "tool": "zoom", "day": 1}
    # The date makes the reader need both schemas; without it the writer's alone will do.
    for schema in (theirs, {**theirs, "fields": [*theirs["fields"], dated]}):
        value = registered(registry, schema) + AvroWriter(schema).write(record)
        result = serde.decoder(USAGE, topic, registry=registry).decode(messages([value]))
        assert (result.apps, result.docs) == (["zoom"], [GOOD_DOC])


def test_referenced_schemas_are_fetched_first(registry: SchemaRegistryClient) -> None:
    deepest = {"type": "fixed", "name": "com.example.Id", "size": 2}
    part = {
        "type": "record",
        "name": "com.example.Client",
        "fields": [{"name": "id", "type": "com.example.Id"}],
    }
    whole = {**IN_MICROS, "fields": [*IN_MICROS["fields"], {"name": "client", "type": "com.example.Client"}]}
    inline = {**part, "fields": [{"name": "id", "type": deepest}]}
    registry.register_schema("id", Schema(orjson.dumps(deepest).decode(), "AVRO"))
    to_id = [SchemaReference("com.example.Id", "id", 1)]
    registry.register_schema("client", Schema(orjson.dumps(part).decode(), "AVRO", to_id))
    frame = registered(registry, whole, references=[SchemaReference("com.example.Client", "client", 1)])
    record = {**GOOD, "timestamp": 1_700_000_000_000_000, "client": {"id": b"ab"}}
    writer = AvroWriter({**whole, "fields": [*IN_MICROS["fields"], {"name": "client", "type": inline}]})
    assert decoded(registry, frame + writer.write(record)).docs == [GOOD_DOC]


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (b"\0\0\0\0\x63" + b"abc", "the schema registry does not know schema 99"),
        (b"\0\0\0\0\x01" + b"abc", "(schema 1)"),
        (
            b"\0\0\0\0\x02" + b"abc",
            "schema 2 cannot be read as a record of the stream: the writer's schema lacks",
        ),
        (b"\0\0\0\0\x03" + b"abc", "it is a PROTOBUF schema, not an Avro schema"),
        (b"\0\0\0\0\x04" + b"abc", "the writer's schema: is not the schema of a record"),
        (b"\0\0\0\0\x05" + b"abc", "the writer's schema is not JSON"),
        (b"\0\0\0\0", "the value does not begin with a schema id"),
        (b"\x01" + b"0123456789", "the value does not begin with a schema id"),
        (b"\x02abcdefg", "the value does not begin with a schema id"),
        (orjson.dumps(GOOD), "need `format: avro` or `json`"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(
    registry: SchemaRegistryClient, value: bytes, detail: str
) -> None:
    good = registered(registry, SCHEMA) + AvroWriter(SCHEMA).write(GOOD)
    registered(registry, {**IN_MICROS, "fields": TEXTS})
    registry.register_schema("proto", Schema('syntax = "proto3";', "PROTOBUF"))
    registry.register_schema("text", Schema('"string"', "AVRO"))
    registry.register_schema("broken", Schema("{", "AVRO"))
    result = decoded(registry, good, value, good)
    assert result.docs == [GOOD_DOC] * 2
    ((offset, reason, given),) = refusals(result)
    assert (offset, reason) == (1, "undecodable")
    assert detail in given


@pytest.mark.parametrize("frame", [b"", b"\0\0\0\1", b"\x05"])
def test_a_header_that_names_no_schema_is_refused(registry: SchemaRegistryClient, frame: bytes) -> None:
    sent = message(b"abcdefgh", headers=[("__value_schema_id", frame)])
    (refused,) = serde.decoder(USAGE, TOPIC, registry=registry).decode([sent]).refused
    assert refused.detail == "the header __value_schema_id holds no schema id"


class Registry(SchemaRegistryClient):
    """A registry that answers every question with one error, and counts the questions."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.questions = 0

    def get_schema(self, *_: Any, **__: Any) -> Schema:
        self.questions += 1
        raise self.error

    register_schema = get_schema  # type: ignore[assignment]


def test_a_schema_that_does_not_exist_is_asked_for_once_a_chunk() -> None:
    registry = Registry(SchemaRegistryError(404, 40403, "Schema 7 not found"))
    decoder = serde.decoder(USAGE, TOPIC, registry=registry)
    chunk = messages([b"\0\0\0\0\x07abc"] * 10)
    assert len(decoder.decode(chunk).refused) == 10
    assert registry.questions == 1
    decoder.decode(chunk)
    assert registry.questions == 2


OUTAGES = [
    ConnectionError("refused"),
    SchemaRegistryError(503, 50301, "unavailable"),
    SchemaRegistryError(401, 401, "unauthorized"),
    # Not the registry's own 404, so it is a proxy's or a wrong address: no reason to give up every record.
    SchemaRegistryError(404, 404, "HTTP 404 Not Found"),
    SchemaRegistryError(404, -1, "Unknown Schema Registry Error"),
    ValueError("an HTML page is not JSON"),
]


@pytest.mark.parametrize("error", OUTAGES, ids=repr)
def test_an_outage_of_the_registry_is_no_fault_of_the_record(error: Exception) -> None:
    registry = Registry(error)
    with pytest.raises(SchemaRegistryUnavailable, match="the schema registry did not give a schema"):
        decoded(registry, b"junk", b"\0\0\0\0\x07abc")
    with pytest.raises(SchemaRegistryUnavailable):
        serde.wire(USAGE, TOPIC, registry).write(GOOD)


def test_after_an_outage_the_same_decoder_goes_on(registry: SchemaRegistryClient) -> None:
    value = serde.wire(USAGE, TOPIC, registry).write(GOOD)
    client = Registry(ConnectionError("refused"))
    decoder = serde.decoder(USAGE, TOPIC, registry=client)
    with pytest.raises(SchemaRegistryUnavailable):
        decoder.decode(messages([value]))
    client.get_schema = registry.get_schema  # type: ignore[method-assign]
    assert decoder.decode(messages([value])).docs == [GOOD_DOC]


def test_a_schema_that_the_registry_refuses_is_the_operators_to_mend() -> None:
    registry = Registry(SchemaRegistryError(409, 40901, "incompatible"))
    with pytest.raises(SchemaError, match=r"refuses the schema of productiv\.usage-value"):
        serde.wire(USAGE, TOPIC, registry).write(GOOD)
