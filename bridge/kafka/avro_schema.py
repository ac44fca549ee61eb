"""The project's Avro schema files."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastavro import parse_schema

from bridge.core.errors import SchemaError

Schema = dict[str, Any]
"""An Avro record schema as JSON."""

SCHEMA_ID_HEADER = "__value_schema_id"
"""Where newer Confluent serializers say which schema wrote the value, instead of within it."""


def load_schema(path: Path) -> Schema:
    """Reads the schema of a record.

    Raises:
        SchemaError: the file cannot be read, or is no Avro schema of a record.
    """
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        parse_schema(schema)
    except Exception as error:  # fastavro raises whatever it stumbles over
        raise SchemaError(f"{path}: is no Avro schema: {error}") from error
    return record_schema(schema, str(path))


def record_schema(schema: Any, where: str) -> Schema:
    """The schema, now known to be a record's; `where` begins the message if it is not.

    Raises:
        SchemaError: it describes something else, such as a union.
    """
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise SchemaError(f"{where}: is not the schema of a record")
    fields = schema.get("fields")
    if not isinstance(fields, list) or not all(isinstance(each, dict) and "name" in each for each in fields):
        raise SchemaError(f"{where}: has no list of named fields")
    return schema


def projected(schema: Schema, names: Iterable[str], where: str) -> Schema:
    """The schema with only the fields `names`, in that order; `where` begins the message if one is lacking.

    Raises:
        SchemaError: it lacks one of the fields.
    """
    fields = {field["name"]: field for field in schema["fields"]}
    if missing := [name for name in names if name not in fields]:
        raise SchemaError(f"{where}: lacks the field {missing[0]!r}")
    return {**schema, "fields": [fields[name] for name in names]}
