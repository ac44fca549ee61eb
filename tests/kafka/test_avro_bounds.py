"""Schemas by which a short value would take for ever, fill the memory or end the process."""

import tracemalloc
from contextlib import suppress
from typing import Any

import orjson
import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.core.errors import SchemaError
from bridge.kafka import serde
from bridge.kafka.avro_bounds import MAX_DEPTH
from bridge.kafka.avro_reader import AvroReader
from bridge.kafka.refusal import Refusal
from bridge.kafka.wire_registry import MAX_REFERENCES, MAX_SCHEMA_CHARACTERS
from tests.kafka.records import GOOD, GOOD_DOC, USAGE, messages, refusals, usage_topic
from tests.kafka.test_avro import SCHEMA, TEXTS, TIME, field, writer, written

APP = field("app", "string")
EMPTY = {"type": "record", "name": "Empty", "fields": []}
NODE = {"type": "record", "name": "Node", "fields": [field("next", ["null", "Node"])]}
DATE = field("date", {"type": "int", "logicalType": "date"})


def event(*more: dict[str, Any]) -> dict[str, Any]:
    return writer(TIME, *TEXTS, APP, *more)


GOOD_PART = written(event(), GOOD)


def nested(levels: int, named: bool) -> Any:
    """Records within each other, each in the place of use or as a name that was defined before."""
    kind: Any = "boolean"
    if not named:
        for level in range(levels):
            kind = {"type": "record", "name": f"R{level}", "fields": [field("in", kind)]}
        return [field("deep", kind)]
    fields = []
    for level in range(levels):
        record = {"type": "record", "name": f"R{level}", "fields": [field("in", kind)]}
        fields.append(field(f"f{level}", record))
        kind = f"R{level}"
    return fields


@pytest.mark.parametrize(
    "kind",
    [
        "null",
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}},
        {"type": "array", "items": EMPTY},
        {"type": "map", "values": {"type": "array", "items": {"type": "null"}}},
        {"type": "record", "name": "R", "fields": [field("a", "boolean"), field("b", "null")]},
        [EMPTY, {"type": "array", "items": "Empty"}],
    ],
)
def test_types_that_take_no_bytes_are_refused(kind: Any) -> None:
    with pytest.raises(SchemaError, match="takes no bytes"):
        AvroReader(event(field("x", kind)), SCHEMA)


@pytest.mark.parametrize("kind", [["null", EMPTY], {"type": "map", "values": "null"}])
def test_a_type_without_bytes_may_stand_behind_one(kind: Any) -> None:
    schema = event(field("x", kind))
    value = written(schema, {**GOOD, "x": {}})
    assert AvroReader(schema, SCHEMA).one(value)["app"] == "slack"


@pytest.mark.parametrize("named", [False, True])
def test_types_may_be_nested_to_a_depth(named: bool) -> None:
    AvroReader(event(*nested(MAX_DEPTH - 3, named)), SCHEMA)
    with pytest.raises(SchemaError, match=f"nested more than {MAX_DEPTH} types deep"):
        AvroReader(event(*nested(MAX_DEPTH, named)), SCHEMA)


def test_a_schema_too_deep_to_be_parsed_is_refused() -> None:
    with pytest.raises(SchemaError, match="broken"):
        AvroReader(event(*nested(2000, named=False)), SCHEMA)


@pytest.mark.parametrize("more", [(), (DATE,)], ids=["one schema", "two schemas"])
def test_a_type_that_holds_itself_is_read_and_cannot_end_the_process(more: tuple[Any, ...]) -> None:
    read = AvroReader(event(field("node", NODE), *more), SCHEMA)
    days = b"\0" * len(more)
    assert read.one(GOOD_PART + b"\x02\x02\x00" + days)["app"] == "slack"
    deep = GOOD_PART + b"\x02" * 1_000_000 + b"\x00" + days
    with pytest.raises(Refusal, match="nested too deeply"):
        read.one(deep)
    with pytest.raises(Refusal):
        read.many([deep])


def test_what_is_not_read_is_not_built() -> None:
    """An empty array is one byte on the wire and 56 in memory."""
    lists = {"type": "array", "items": {"type": "array", "items": "string"}}
    read = AvroReader(event(field("x", lists)), SCHEMA)
    value = GOOD_PART + b"\x80\x89\x7a" + b"\0" * 1_000_001  # a block of 1,000,000
    tracemalloc.start()
    try:
        assert read.one(value)["app"] == "slack"
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


LONG = st.integers(-(2**63), 2**63 - 1)
KINDS = st.sampled_from(
    [
        "string",
        "bytes",
        {"type": "fixed", "name": "F", "size": 2**40},
        {"type": "array", "items": "string"},
        {"type": "map", "values": "boolean"},
        {"type": "array", "items": ["null", "long"]},
        {"type": "enum", "name": "E", "symbols": ["a"]},
        ["null", "string"],
        NODE,
    ]
)


def varint(number: int) -> bytes:
    """A number as Avro writes lengths, counts and choices."""
    return written(writer(field("n", "long")), {"n": number})


@given(KINDS, st.lists(LONG.map(varint) | st.binary(max_size=4), max_size=4).map(b"".join))
@example("string", varint(2**60))
@example("bytes", varint(-1))
@example({"type": "array", "items": "string"}, varint(2**60))
@example({"type": "map", "values": "boolean"}, varint(-(2**60)) + varint(2**60))
@example({"type": "array", "items": ["null", "long"]}, varint(-(2**63)) + varint(-1))
@example(["null", "string"], varint(2**40))
def test_any_lengths_counts_and_choices_end_in_a_record_or_a_reason(kind: Any, noise: bytes) -> None:
    read = AvroReader(event(field("x", kind)), SCHEMA)
    with suppress(Refusal):
        assert read.one(GOOD_PART + noise)["app"] == "slack"


ANY_REGISTRY = serde.registry_client({"url": "mock://any"})
ANY_DECODER = serde.decoder(USAGE, usage_topic(format="avro_registry"), registry=ANY_REGISTRY)
ATOMS = ["null", "string", "Event", "Unknown", "record", "array", "union", 0, -1, None, "", "a b"]
JSON = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "name",
                    "fields",
                    "items",
                    "values",
                    "symbols",
                    "size",
                    "default",
                    "aliases",
                    "logicalType",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    JSON
    | JSON.map(lambda kind: event(field("x", kind)))
    | JSON.map(lambda part: {**event(), "fields": [part, TIME]})
)
@example({"type": "record"})
@example({"type": "record", "name": "E", "fields": 7})
@example({"type": "record", "name": "E", "fields": [7]})
@example({"type": "record", "name": "E", "fields": [{"name": "timestamp"}]})
@example(event({**TIME, "logicalType": ["x"]}))
def test_any_schema_of_a_registry_reads_or_is_refused(schema: Any) -> None:
    text = orjson.dumps(schema).decode()
    frame = b"\0" + ANY_REGISTRY.register_schema("s", Schema(text, "AVRO")).to_bytes(4)
    result = ANY_DECODER.decode(messages([frame + GOOD_PART]))
    assert len(result.docs) + len([detail for _, _, detail in refusals(result) if detail]) == 1


def reason(registry: SchemaRegistryClient, text: str, **more: Any) -> str:
    """Why a record of the schema is refused."""
    frame = b"\0" + registry.register_schema("s", Schema(text, "AVRO", **more)).to_bytes(4)
    decoder = serde.decoder(USAGE, usage_topic(format="avro_registry"), registry=registry)
    [(_, _, detail)] = refusals(decoder.decode(messages([frame + GOOD_PART])))
    return detail


@pytest.fixture
def registry() -> SchemaRegistryClient:
    return serde.registry_client({"url": "mock://bounds"})


def test_a_schema_of_very_many_fields_is_not_parsed(registry: SchemaRegistryClient) -> None:
    text = orjson.dumps(event(*[field(f"f{n}", "long") for n in range(40_000)])).decode()
    assert f"where {MAX_SCHEMA_CHARACTERS} are allowed" in reason(registry, text)


def test_references_are_followed_once_and_not_for_ever(registry: SchemaRegistryClient) -> None:
    part = {"type": "fixed", "name": "com.example.Id", "size": 2}
    twice = [SchemaReference("a", "id", 1), SchemaReference("b", "id", 1), SchemaReference("c", "both", 1)]
    registry.register_schema("id", Schema(orjson.dumps(part).decode(), "AVRO"))
    both = {"type": "record", "name": "com.example.Both", "fields": [field("a", "com.example.Id")]}
    registry.register_schema("both", Schema(orjson.dumps(both).decode(), "AVRO", twice[:1]))
    schema = event(field("x", "com.example.Id"), field("y", "com.example.Both"))
    text = orjson.dumps(schema).decode()
    frame = b"\0" + registry.register_schema("s", Schema(text, "AVRO", twice)).to_bytes(4)
    decoder = serde.decoder(USAGE, usage_topic(format="avro_registry"), registry=registry)
    assert decoder.decode(messages([frame + GOOD_PART + b"abcd"])).docs == [GOOD_DOC]


def test_a_schema_that_refers_to_itself_or_to_very_many_is_refused(registry: SchemaRegistryClient) -> None:
    text = orjson.dumps(event(field("x", "com.example.Id"))).decode()
    registry.register_schema("self", Schema(text, "AVRO", [SchemaReference("self", "self", 1)]))
    assert "broken" in reason(registry, text, references=[SchemaReference("self", "self", 1)])
    for number in range(MAX_REFERENCES + 1):
        registry.register_schema(f"part-{number}", Schema('"string"', "AVRO"))
    many = [SchemaReference("p", f"part-{number}", 1) for number in range(MAX_REFERENCES + 1)]
    assert f"refers to more than {MAX_REFERENCES}" in reason(registry, '"string"', references=many)
