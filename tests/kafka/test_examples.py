"""The examples beside the schemas are true, and every stream has its schema, its topic and its examples."""

from typing import Any

import pytest

from bridge.core.json_text import exact_json
from bridge.kafka import serde, topics
from bridge.kafka.apps import COMPANY
from bridge.kafka.avro_schema import load_schema
from bridge.resources import folder
from bridge.streams import SINKS
from tests.kafka.records import messages, refusals

pytestmark = pytest.mark.docs_agree

TOPICS = topics.load_all()
OUTPUTS = topics.load_outputs()
FORMATS = ("json", "avro", "avro_registry")


def lines(name: str) -> list[Any]:
    return [exact_json(line) for line in (folder("schemas") / "examples" / name).read_bytes().splitlines()]


def made(stream: str, wire_format: str) -> tuple[serde.Wire, serde.TopicDecoder]:
    """A stream's wire, to write examples with, and its decoder."""
    topic = topics.overridden(TOPICS[stream], {"format": wire_format})
    registry = serde.registry_client({"url": "mock://examples"})
    return serde.wire(SINKS[stream], topic, registry), serde.decoder(SINKS[stream], topic, registry=registry)


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize("stream", SINKS)
def test_valid_examples_come_through_every_wire_format(stream: str, wire_format: str) -> None:
    wire, decoder = made(stream, wire_format)
    examples = lines(f"{stream}.valid.ndjson")
    decoded = decoder.decode(messages([wire.write(example) for example in examples]))
    declared = SINKS[stream].record.__annotations__
    assert refusals(decoded) == []
    assert decoded.docs == [{name: e[name] for name in declared if name in e} for e in examples]
    company = TOPICS[stream].app.from_ == "none"
    assert decoded.apps == [COMPANY if company else example["app"] for example in examples]


@pytest.mark.parametrize("stream", SINKS)
def test_invalid_examples_are_refused_for_the_reason_beside_them(stream: str) -> None:
    wire, decoder = made(stream, "json")
    examples = lines(f"{stream}.invalid.ndjson")
    decoded = decoder.decode(messages([wire.write(example["record"]) for example in examples]))
    assert decoded.docs == []
    for (_, reason, detail), example in zip(refusals(decoded), examples, strict=True):
        assert reason == example["reason"]
        assert example["detail"] in detail


@pytest.mark.parametrize("stream", SINKS)
def test_refusals_show_no_text_of_the_record(stream: str) -> None:
    wire, decoder = made(stream, "json")
    for example in lines(f"{stream}.invalid.ndjson"):
        (refused,) = decoder.decode(messages([wire.write(example["record"])])).refused
        assert [
            text for text in texts_in(example["record"]) if len(text) > 3 and text in refused.detail
        ] == []
        assert "@" not in refused.detail.replace("name@example.com", "")


def texts_in(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts_in(part)]
    return [value] if isinstance(value, str) else []


def test_every_stream_has_its_files_and_every_file_its_stream() -> None:
    schemas = folder("schemas")
    assert {path.stem for path in schemas.glob("*.avsc")} == {*SINKS, *OUTPUTS}
    assert set(TOPICS) == set(SINKS)
    examples = {f"{stream}.{kind}.ndjson" for stream in SINKS for kind in ("valid", "invalid")}
    examples |= {f"{output}.valid.ndjson" for output in OUTPUTS}
    assert {path.name for path in (schemas / "examples").iterdir()} == examples
    used = {topic.schema_file for topic in TOPICS.values()} | {
        topic.schema_file for topic in OUTPUTS.values()
    }
    assert used == {path.name for path in schemas.glob("*.avsc")}


@pytest.mark.parametrize("stream", SINKS)
def test_schema_and_stream_declare_the_same_fields(stream: str) -> None:
    schema = load_schema(TOPICS[stream].schema_path)
    source = TOPICS[stream].app
    of_app = [source.name] if source.from_ == "field" else []
    record: Any = SINKS[stream].record
    assert [field["name"] for field in schema["fields"]] == [*record.__annotations__, *of_app]
    optional = {field["name"] for field in schema["fields"] if "default" in field}
    assert optional - set(of_app) == record.__optional_keys__


@pytest.mark.parametrize("stream", SINKS)
def test_every_field_of_a_schema_says_what_it_is(stream: str) -> None:
    schema = load_schema(TOPICS[stream].schema_path)
    assert schema["doc"]
    assert [field["name"] for field in schema["fields"] if len(field.get("doc", "")) < 20] == []


@pytest.mark.parametrize("stream", SINKS)
def test_the_fields_a_refusal_names_say_what_to_send(stream: str) -> None:
    decoder = made(stream, "json")[1]
    (refused,) = decoder.decode(messages([b"{}"])).refused
    record: Any = SINKS[stream].record
    assert refused.detail.count("; send ") == len(record.__required_keys__)
