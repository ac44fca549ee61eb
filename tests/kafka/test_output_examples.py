"""Examples of what sources write come through every wire format, and all of their schemas is documented."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from bridge.kafka import serde
from bridge.kafka.avro_schema import load_schema
from bridge.kafka.serde import Wire
from bridge.kafka.topics import load_outputs, overridden_output
from bridge.resources import folder
from tests.kafka.records import message

pytestmark = pytest.mark.docs_agree

OUTPUTS = load_outputs()
FORMATS = ("json", "avro", "avro_registry")
REQUIRED = {"workflowId", "executionId", "applicationId", "sequence"}


def examples(output: str) -> list[Any]:
    lines = (folder("schemas") / "examples" / f"{output}.valid.ndjson").read_bytes().splitlines()
    return [orjson.loads(line) for line in lines]


def wire(output: str, wire_format: str) -> Wire:
    topic = overridden_output(OUTPUTS[output], None, wire_format)
    return serde.output_wire(topic, serde.registry_client({"url": "mock://outputs"}))


def without_nulls(value: Any) -> Any:
    """Avro reads a field that was left out as null."""
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def records(schema: Any) -> Iterator[Any]:
    """The schema of a record and of all records within."""
    if isinstance(schema, dict) and schema["type"] == "record":
        yield schema
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in parts:
        yield from records(part) if isinstance(part, dict) and "type" in part else ()
        yield from records(part) if isinstance(part, list) else ()


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_examples_come_through_every_wire_format(output: str, wire_format: str) -> None:
    made = wire(output, wire_format)
    for example in examples(output):
        value = made.write(example)
        assert without_nulls(made.read_one(message(value), value)) == example


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_examples_show_every_field(output: str) -> None:
    shown = {name for example in examples(output) for name in example}
    assert shown == {field["name"] for field in load_schema(OUTPUTS[output].schema_path)["fields"]}


@pytest.mark.parametrize("output", OUTPUTS)
def test_every_field_of_a_schema_says_what_it_is(output: str) -> None:
    for record in records(load_schema(OUTPUTS[output].schema_path)):
        assert record["doc"]
        assert [field["name"] for field in record["fields"] if len(field.get("doc", "")) < 20] == []


@pytest.mark.parametrize("output", OUTPUTS)
def test_only_what_every_record_has_is_required(output: str) -> None:
    """The API may leave out all else, and must not stop a source by it."""
    for record in records(load_schema(OUTPUTS[output].schema_path)):
        required = {field["name"] for field in record["fields"] if "default" not in field}
        assert required <= REQUIRED
        assert all(
            f["type"][0] == "null" and f["default"] is None for f in record["fields"] if "default" in f
        )


def test_every_output_keeps_what_is_as_old_as_the_api_has_it() -> None:
    kept = {name: topic.retention_hours for name, topic in OUTPUTS.items() if topic.cleanup == "delete"}
    assert {name: hours for name, hours in kept.items() if hours <= 180 * 24} == {}
