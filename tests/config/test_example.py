"""The example file, the JSON Schema and the model say the same, and say it about every setting."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.config import Settings, load
from bridge.config.example import example
from bridge.config.shape import Keys, Value, at, key_paths, shape_of
from bridge.config.shape import Path as KeyPath
from bridge.streams import SINKS

from .conftest import ConfigFile

pytestmark = pytest.mark.docs_agree

EXAMPLE = Path(__file__).parents[2] / "bridge.example.yaml"
UNITS = {"_seconds": "seconds", "_bytes": "ytes", "_records": "ecords", "_per_second": "per second"}
SHAPE = shape_of(Settings)
PATHS = sorted(key_paths(SHAPE))


def test_the_file_is_what_the_model_writes() -> None:
    assert EXAMPLE.read_text() == example(), "run: productiv-bridge config example > bridge.example.yaml"


def test_the_example_is_all_defaults() -> None:
    assert load(EXAMPLE, {}) == Settings()


def test_the_example_holds_every_setting_with_its_default_and_no_other() -> None:
    defaults = Settings().model_dump(mode="json", by_alias=True)
    assert yaml.safe_load(example()) == defaults
    assert {path for path in PATHS if "app" not in path[:-1]} == set(_paths(defaults, SHAPE))


def _paths(values: dict[str, Any], shape: Any, path: KeyPath = ()) -> list[KeyPath]:
    found = []
    for key, value in values.items():
        found.append((*path, key))
        if isinstance(value, dict):
            found += _paths(value, shape, (*path, key))
    return found


def test_the_example_describes_every_setting_just_before_it() -> None:
    words = " ".join(example().replace("#", " ").split())
    for path in PATHS:
        shape, key = at(SHAPE, path), path[-1]
        assert shape is not None
        # The keys of a section that is null are told in comments.
        assert (f"{key}: {shape.about}" if "app" in path[:-1] else f"{shape.about} {key}:") in words, path


def test_lines_of_the_example_fit_a_page() -> None:
    assert max(len(line) for line in example().splitlines()) <= 100


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_every_setting_is_described_with_its_unit_and_what_null_means(path: KeyPath) -> None:
    shape = at(SHAPE, path)
    assert shape is not None
    assert re.fullmatch(r"[a-zA-Z0-9].*\.", shape.about, re.DOTALL), "a description ends in a full stop"
    assert ("null = " in shape.about) == (isinstance(shape, Value | Keys) and shape.nullable)
    for ending, unit in {
        "_seconds": "seconds",
        "_bytes": "ytes",
        "_records": "ecords",
        "_per_second": "per second",
    }.items():
        if path[-1].endswith(ending):
            assert unit in shape.about


def test_secrets_are_typed_as_secrets() -> None:
    """A new field named like a secret must not be printed; files that hold one may be."""
    for path in PATHS:
        if re.search(r"secret|password|token", path[-1]) and not re.search(r"_file$|_url$|_auth$", path[-1]):
            shape = at(SHAPE, path)
            assert isinstance(shape, Value)
            assert shape.secret, path


def test_the_schema_is_closed_and_describes_every_setting() -> None:
    schema = json.loads(json.dumps(Settings.model_json_schema()))
    sections = [schema, *schema["$defs"].values()]
    assert all(section["additionalProperties"] is False for section in sections)
    for section in sections:
        for key, field in section["properties"].items():
            definition = schema["$defs"].get(field.get("$ref", "").removeprefix("#/$defs/"), {})
            assert "description" in field or "description" in definition, key
    assert schema["properties"]["sinks"]["propertyNames"] == {"enum": list(SINKS)}
    assert "from" in schema["$defs"]["AppOf"]["properties"]
    raw = schema["$defs"]["Kafka"]["properties"]["settings"]["additionalProperties"]
    assert raw == {"type": ["string", "number", "boolean"]}
    assert schema["$defs"]["Productiv"]["properties"]["client_secret"]["anyOf"][0]["format"] == "password"


def test_the_shape_knows_what_may_stand_where() -> None:
    secret = at(SHAPE, ("productiv", "client_secret"))
    assert isinstance(secret, Value)
    assert secret.secret
    assert secret.nullable
    assert isinstance(at(SHAPE, ("sinks", "usage")), Keys)
    assert at(SHAPE, ("kafka", "settings", "any.name")) == Value()
    assert at(SHAPE, ("http", "nothing")) is None
    assert at(SHAPE, ("http", "port", "nothing")) is None


def test_the_example_can_be_edited_key_by_key(file: ConfigFile) -> None:
    text = example().replace("port: 9400", "port: 1").replace("settings: {}", "settings: {client.id: a}")
    settings = file.load(text)
    assert (settings.http.port, settings.kafka.settings) == (1, {"client.id": "a"})
