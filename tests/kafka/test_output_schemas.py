"""What sources declare and what the schemas of their topics say is the same, field by field."""

from typing import Any

import pytest

from bridge.core.shape import JSON, MOMENT, NUMBER, TEXT, WHOLE, ListOf, Object
from bridge.kafka.avro_schema import load_schema
from bridge.kafka.topics import load_outputs
from bridge.streams import SOURCES

pytestmark = pytest.mark.docs_agree

OUTPUTS = load_outputs()
DECLARED = [(name, output) for name, source in SOURCES.items() for output in source.outputs]
EXTRA = {"type": "map", "values": "string"}
AVRO = {
    id(TEXT): "string",
    id(JSON): "string",
    id(WHOLE): "long",
    id(NUMBER): "double",
    id(MOMENT): {"type": "long", "logicalType": "timestamp-millis"},
}


def declared(form: Any) -> Any:
    """The Avro type that a form makes values of, without names and descriptions."""
    if isinstance(form, ListOf):
        return {"array": declared(form.form)}
    if isinstance(form, Object):
        return {"record": {**{name: declared(each) for name, each in form.fields.items()}, "extra": EXTRA}}
    return AVRO[id(form)]


def written(schema: Any) -> Any:
    """A schema in the same words; null beside a type is left out."""
    if isinstance(schema, list):
        [kind] = [kind for kind in schema if kind != "null"]
        return written(kind)
    if isinstance(schema, dict) and schema["type"] == "array":
        return {"array": written(schema["items"])}
    if isinstance(schema, dict) and schema["type"] == "record":
        return {"record": {field["name"]: written(field["type"]) for field in schema["fields"]}}
    return schema


@pytest.mark.parametrize(("source", "output"), DECLARED)
def test_schema_and_declaration_have_the_same_fields(source: str, output: str) -> None:
    wanted, found = (
        declared(SOURCES[source].outputs[output]),
        written(load_schema(OUTPUTS[output].schema_path)),
    )
    assert found == wanted
    assert list(found["record"]) == list(wanted["record"])


def test_every_output_has_its_topic_and_every_topic_its_source() -> None:
    assert sorted((topic.source, name) for name, topic in OUTPUTS.items()) == sorted(DECLARED)
