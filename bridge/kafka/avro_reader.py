"""Reads records written with one Avro schema as records of another."""

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any, cast

from fastavro import parse_schema, schemaless_reader
from fastavro._read_py import schemaless_reader as pure_python_reader

from bridge.core.errors import SchemaError
from bridge.kafka.avro_bounds import any_recursive
from bridge.kafka.avro_schema import Schema
from bridge.kafka.refusal import Refusal, undecodable

Record = dict[str, Any]

_PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
_PER_MILLISECOND = {"timestamp-millis": 1, "timestamp-micros": 1_000, "timestamp-nanos": 1_000_000}
_LOCAL = {f"local-{unit}" for unit in _PER_MILLISECOND}
_TIMES = _LOCAL | _PER_MILLISECOND.keys()
_TIME_ENTRIES = [("logicalType", name) for name in _TIMES]


class AvroReader:
    """Reads values written with the schema `writer` into records of the schema `reader`.

    Fields are matched by name, then by the reader's aliases; the reader's defaults stand for what the writer
    does not know. Fields that the reader does not know may or may not be in the result. The two record types
    may have different names. A field that the reader calls timestamp-millis arrives as an integer in
    milliseconds, whatever unit the writer declares; a plain long is taken for milliseconds.

    `references` are schemas that the writer's refers to by name, each after those that it refers to itself.

    Raises:
        SchemaError: the writer's schema is broken, lacks a field that has no default, or declares a time that
            cannot become milliseconds.
    """

    def __init__(self, writer: Schema, reader: Schema, references: Iterable[Any] = ()) -> None:
        try:
            self._prepare(writer, reader, references)
        except SchemaError:
            raise
        except (
            Exception
        ) as error:  # fastavro raises whatever it stumbles over, and so does what walks a schema
            raise SchemaError(f"the writer's schema is broken ({type(error).__name__})") from error

    def _prepare(self, writer: Schema, reader: Schema, references: Iterable[Any]) -> None:
        names: dict[str, Any] = {}
        parts = [parse_schema(_without_times(part), named_schemas=names) for part in references]
        self._writer = parse_schema(_without_times(writer), named_schemas=names)
        # A value can be nested so deeply that the compiled reader would end the process; this one raises.
        recursive = any_recursive([*parts, self._writer])
        self._schemaless_reader = pure_python_reader if recursive else schemaless_reader
        pairs = [(field, _written_as(field, writer)) for field in reader["fields"]]
        self._divisors = [
            (field["name"], divisor)
            for field, written in pairs
            if written and _TIMES & _logical_types(field["type"]) and (divisor := _divisor(written)) != 1
        ]
        # fastavro takes twice the time for two schemas, so the second goes in only where it matters: also to
        # skip what is not read, of which an object can be a hundred times as large as its bytes. A logical
        # type in a field that we leave out could still be refused, so then it must not be read.
        one_will_do = all(written and _reads_alike(field, written) for field, written in pairs)
        one_will_do = one_will_do and all(map(_plain, writer["fields"])) and _logical_types(writer) <= _TIMES
        named = {**_without_times(reader), "name": writer["name"], "namespace": writer.get("namespace", "")}
        self._reader = None if one_will_do else parse_schema(named)

    def many(self, values: Sequence[bytes]) -> list[Record]:
        """The records of a chunk of values.

        Raises:
            Refusal: at least one value is not exactly one such record; which one and why is for `one` to say.
        """
        try:
            return [self._read(value) for value in values]
        except Refusal:
            raise
        except Exception:  # noise can make fastavro stumble in any way
            raise undecodable("at least one value of the chunk does not fit its Avro schema") from None

    def one(self, value: bytes) -> Record:
        """The record in one value.

        Raises:
            Refusal: the value is not exactly one such record.
        """
        try:
            return self._read(value)
        except Refusal:
            raise
        except UnicodeDecodeError:
            raise undecodable("the value holds text that is not UTF-8") from None
        except RecursionError:
            raise undecodable("the value is nested too deeply") from None
        except (EOFError, IndexError):
            raise undecodable("the value ends before the record of its Avro schema does") from None
        except Exception:  # noise can make fastavro stumble in any way
            raise undecodable("the value does not fit its Avro schema") from None

    def _read(self, value: bytes) -> Record:
        source = BytesIO(value)
        record = cast(Record, self._schemaless_reader(source, self._writer, self._reader))
        if rest := len(source.read()):
            raise undecodable(f"{rest} bytes follow the record; another Avro schema wrote this, or none did")
        for name, divisor in self._divisors:
            if record[name] is not None:
                record[name] //= divisor
        return record


def _written_as(field: Schema, writer: Schema) -> Schema | None:
    """The writer's field for one of the reader's; None where the reader's default stands in."""
    written = {each["name"]: each for each in writer["fields"]}
    found = next(
        (written[name] for name in (field["name"], *field.get("aliases", ())) if name in written), None
    )
    if found is None and "default" not in field:
        raise SchemaError(f"the writer's schema lacks the field {field['name']}")
    return found


def _reads_alike(field: Schema, written: Schema) -> bool:
    """Whether the value is the same without the reader's schema: types without parts, under the same name.

    Validation comes after, so a type that the reader does not have need not be noticed here.
    """
    return written["name"] == field["name"] and _plain(written)


def _plain(written: Schema) -> bool:
    kinds = written["type"] if isinstance(written["type"], list) else [written["type"]]
    return all((kind.get("type") if isinstance(kind, dict) else kind) in _PRIMITIVES for kind in kinds)


def _divisor(written: Schema) -> int:
    """How many of the writer's units make a millisecond."""
    units = _TIMES & _logical_types(written["type"]) or {"timestamp-millis"}
    name = written["name"]
    if units & _LOCAL:
        raise SchemaError(f"the writer's schema gives {name} as a local time, which lacks its time zone")
    if len(units) > 1:
        raise SchemaError(f"the writer's schema gives {name} in several units of time")
    return _PER_MILLISECOND[units.pop()]


def _without_times(schema: Any) -> Any:
    """The schema with times as the integers that they are on the wire; fastavro would build datetimes."""
    if isinstance(schema, list):
        return [_without_times(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_times(part) for key, part in schema.items() if (key, part) not in _TIME_ENTRIES}


def _logical_types(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {name for part in schema for name in _logical_types(part)}
    if not isinstance(schema, dict):
        return set()
    here = {schema["logicalType"]} if isinstance(schema.get("logicalType"), str) else set()
    return here | {name for part in schema.values() for name in _logical_types(part)}
