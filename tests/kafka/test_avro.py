"""Avro values, written with our schema or with another, are read as exactly one record of ours."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from bridge.core.errors import SchemaError
from bridge.kafka import serde
from bridge.kafka.avro_reader import AvroReader
from bridge.kafka.avro_schema import load_schema
from bridge.kafka.refusal import Refusal
from tests.kafka.records import GOOD, GOOD_DOC, USAGE, messages, refusals, usage_topic

TOPIC = usage_topic(format="avro")
SCHEMA = load_schema(TOPIC.schema_path)
MILLIS = 1_700_000_000_000


def written(schema: Any, record: Any) -> bytes:
    target = BytesIO()
    schemaless_writer(target, parse_schema(schema), record)
    return target.getvalue()


VALUE = written(SCHEMA, GOOD)


def decoded(*values: bytes) -> Any:
    return serde.decoder(USAGE, TOPIC).decode(messages(values))


def test_records_of_our_schema_come_through() -> None:
    assert decoded(VALUE, VALUE).docs == [GOOD_DOC] * 2


HEADER = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(SCHEMA), "CRC-64-AVRO"))


@pytest.mark.parametrize(
    "values", [(HEADER + VALUE, HEADER + VALUE), (HEADER + VALUE, VALUE), (VALUE, HEADER + VALUE)]
)
def test_single_object_encoding_is_read_too(values: tuple[bytes, ...]) -> None:
    assert decoded(*values).docs == [GOOD_DOC] * 2


def test_single_object_encoding_is_read_in_bulk() -> None:
    # Else each chunk of it would fail first and then be read record by record.
    assert serde.wire(USAGE, TOPIC).read_many([], [HEADER + VALUE] * 2) == [GOOD] * 2


def test_the_fingerprint_is_the_one_of_the_avro_specification() -> None:
    # The specification's own value for the schema "int", least significant byte first, as the header has it.
    assert fingerprint('"int"', "CRC-64-AVRO") == "8f5c393f1ad57572"


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (VALUE + b"\0", "1 bytes follow the record; another Avro schema wrote this, or none did"),
        (VALUE + VALUE, f"{len(VALUE)} bytes follow the record"),
        (VALUE[:-1], "the value ends before the record of its Avro schema does"),
        (VALUE[:7], "the value ends before the record of its Avro schema does"),
        (VALUE[:6] + b"\x01" + VALUE[7:], "the value ends before the record of its Avro schema does"),
        (VALUE.replace(b"ada", b"a\xffa"), "the value holds text that is not UTF-8"),
        (b"\xff" * 500_000, "the value"),
        (b"\0\0\0\0\x01" + VALUE, "framing, which needs `format: avro_registry`"),
        (b"\xc3\x01" + b"12345678" + VALUE, "its single-object header names another schema"),
    ],
)
def test_what_is_not_one_record_is_refused_and_its_neighbours_are_not(value: bytes, detail: str) -> None:
    result = decoded(VALUE, value, VALUE)
    assert result.docs == [GOOD_DOC] * 2
    ((offset, reason, given),) = refusals(result)
    assert (offset, reason) == (1, "undecodable")
    assert detail in given


def test_writing_leaves_out_what_the_schema_does_not_have() -> None:
    assert serde.wire(USAGE, TOPIC).write({**GOOD, "other": 1}) == VALUE


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def writer(*fields: dict[str, Any], name: str = "com.example.Event") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


TEXTS = (field("email", "string"), field("eventName", "string"))
TEXT_VALUES = {"email": "ada@example.com", "eventName": "document.opened"}


def both_ways(schema: dict[str, Any], record: Any, reader: Any = SCHEMA) -> Iterator[dict[str, Any]]:
    read = AvroReader(schema, reader)
    value = written(schema, record)
    yield from read.many([value])
    yield read.one(value)


@pytest.mark.parametrize(
    "kind",
    [
        "long",
        {"type": "long", "logicalType": "timestamp-millis"},
        ["null", {"type": "long", "logicalType": "timestamp-millis"}],
        {"type": "long", "avro.java.string": "String"},
    ],
)
def test_times_in_milliseconds_stay_integers(kind: Any) -> None:
    for record in both_ways(writer(field("timestamp", kind), *TEXTS), {"timestamp": MILLIS, **TEXT_VALUES}):
        assert record["timestamp"] == MILLIS
        assert type(record["timestamp"]) is int


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize(("unit", "factor"), [("micros", 1_000), ("nanos", 1_000_000)])
def test_times_in_finer_units_become_milliseconds(unit: str, factor: int, optional: bool) -> None:
    kind: Any = {"type": "long", "logicalType": f"timestamp-{unit}"}
    schema = writer(field("timestamp", ["null", kind] if optional else kind), *TEXTS)
    time = MILLIS * factor + factor - 1
    assert [r["timestamp"] for r in both_ways(schema, {"timestamp": time, **TEXT_VALUES})] == [MILLIS] * 2


def test_a_time_in_microseconds_may_be_null_until_validation_says_so() -> None:
    kind = ["null", {"type": "long", "logicalType": "timestamp-micros"}]
    schema = writer(field("timestamp", kind), *TEXTS, field("app", "string"))
    nulls = both_ways(schema, {"timestamp": None, **TEXT_VALUES, "app": "slack"})
    assert [record["timestamp"] for record in nulls] == [None] * 2


def test_times_are_integers_also_where_both_schemas_are_needed() -> None:
    micros = {"type": "long", "logicalType": "timestamp-micros"}
    schema = writer(field("timestamp", micros), *TEXTS, field("day", {"type": "int", "logicalType": "date"}))
    record = {"timestamp": MILLIS * 1000, **TEXT_VALUES, "day": datetime(2023, 11, 14, tzinfo=UTC).date()}
    assert list(both_ways(schema, record)) == [{**GOOD_DOC, "app": None}] * 2


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ({"type": "long", "logicalType": "local-timestamp-millis"}, "timestamp as a local time"),
        (
            [
                {"type": "long", "logicalType": "timestamp-micros"},
                {"type": "long", "logicalType": "timestamp-millis"},
            ],
            "timestamp in several units",
        ),
    ],
)
def test_times_that_could_be_misread_are_refused(kind: Any, why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        AvroReader(writer(field("timestamp", kind), *TEXTS), SCHEMA)


TIME = field("timestamp", "long")
APP = field("app", ["null", "string"], default=None)


@pytest.mark.parametrize(
    ("schema", "record"),
    [
        pytest.param(writer(TIME, *TEXTS), {}, id="no app: the default stands in"),
        pytest.param(writer(*TEXTS, TIME), {}, id="another order"),
        pytest.param(
            writer(TIME, *TEXTS, field("ip", "string"), field("tags", {"type": "array", "items": "string"})),
            {"ip": "10.0.0.1", "tags": ["a"]},
            id="more fields",
        ),
        pytest.param(
            writer(TIME, *TEXTS, APP, field("day", {"type": "int", "logicalType": "date"})),
            {"app": None, "day": 2**31 - 1},
            id="a field that could not even be read is skipped",
        ),
        pytest.param(
            writer(
                TIME,
                field("email", {"type": "string", "avro.java.string": "String"}),
                field("eventName", ["string", "null"]),
            ),
            {},
            id="the types of a Java producer",
        ),
    ],
)
def test_records_of_other_schemas_are_read_as_ours(schema: dict[str, Any], record: dict[str, Any]) -> None:
    for read in both_ways(schema, {"timestamp": MILLIS, **TEXT_VALUES, **record}):
        assert {**GOOD_DOC, "app": None}.items() <= {"app": None, **read}.items()


def test_aliases_of_our_schema_are_followed() -> None:
    reader = {**SCHEMA, "fields": [{**each, "aliases": [f"old_{each['name']}"]} for each in SCHEMA["fields"]]}
    micros = {"type": "long", "logicalType": "timestamp-micros"}
    schema = writer(
        field("old_timestamp", micros), field("old_email", "string"), field("eventName", "string"), APP
    )
    record = {"old_timestamp": MILLIS * 1000, "old_email": "ada@example.com", "eventName": "document.opened"}
    assert list(both_ways(schema, record, reader)) == [{**GOOD_DOC, "app": None}] * 2


def test_types_that_the_writer_names_elsewhere_are_found() -> None:
    part = {"type": "record", "name": "com.example.Client", "fields": [field("since", TIME["type"])]}
    schema = writer(TIME, *TEXTS, field("client", "com.example.Client"))
    inline = writer(TIME, *TEXTS, field("client", part))
    value = written(inline, {"timestamp": MILLIS, **TEXT_VALUES, "client": {"since": 1}})
    assert AvroReader(schema, SCHEMA, [part]).one(value) == {**GOOD_DOC, "app": None}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (writer(*TEXTS), "lacks the field timestamp"),
        (writer(TIME, *TEXTS, field("x", "com.example.Unknown")), r"is broken \(UnknownType\)"),
    ],
)
def test_schemas_that_cannot_be_read_say_why(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        AvroReader(schema, SCHEMA)


def test_a_value_that_cannot_become_ours_is_refused() -> None:
    fixed = {"type": "fixed", "name": "F", "size": 3}
    read = AvroReader(writer(TIME, *TEXTS, field("app", fixed)), SCHEMA)
    value = written(
        writer(TIME, *TEXTS, field("app", fixed)), {"timestamp": MILLIS, **TEXT_VALUES, "app": b"abc"}
    )
    for reading in (lambda: read.one(value), lambda: read.many([value])):
        with pytest.raises(Refusal, match="fit its Avro schema"):
            reading()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "is no Avro schema"),
        ('"string"', "is not the schema of a record"),
        ('["null"]', "is not the schema"),
    ],
)
def test_schema_files_that_are_none_are_named(tmp_path: Any, content: str, why: str) -> None:
    path = tmp_path / "broken.avsc"
    path.write_text(content)
    with pytest.raises(SchemaError, match=rf"broken\.avsc: {why}"):
        load_schema(path)
