"""Records as Avro in Confluent framing: a schema registry knows what each was written with."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NoReturn
from uuid import UUID

import orjson
from confluent_kafka import Message
from confluent_kafka.schema_registry import Schema as RegistrySchema
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from bridge.core.errors import SchemaError
from bridge.core.record import Doc
from bridge.kafka.avro_reader import AvroReader, Record
from bridge.kafka.avro_schema import SCHEMA_ID_HEADER, Schema, record_schema
from bridge.kafka.headers import all_headers
from bridge.kafka.refusal import Refusal, SchemaRegistryUnavailable, undecodable
from bridge.kafka.wire_avro import AvroWriter

# Which schema wrote a record: a zero and the schema's 4-byte id, or a one and its 16-byte GUID. It stands
# before the record, or (GUID only) in a header.
_BY_ID, _BY_GUID = 0, 1
_FRAME_BYTES = {_BY_ID: 5, _BY_GUID: 17}

# A schema of 1000 described fields has some 0.2 MB. Each record takes a step for each field.
MAX_SCHEMA_CHARACTERS = 1024 * 1024
MAX_REFERENCES = 100


def registry_client(settings: Mapping[str, Any]) -> SchemaRegistryClient:
    """A registry client; `settings` are in the client's own names, and `url` may be `mock://…`.

    It gives up after 5 s and does not try again itself, as decoding waits for it; the caller pauses and does.
    """
    return SchemaRegistryClient.new_client({"timeout": 5, "max.retries": 0, **settings})


class RegistryWire:
    """Reads records with the schema that wrote them, resolved against `wanted`; writes them with `schema`.

    `schema` is registered under the subject `<topic>-value` when the first record is written.
    """

    def __init__(
        self, client: SchemaRegistryClient, topic: str, schema: Schema, wanted: Schema, app: str | None
    ):
        self._client = client
        self._subject = f"{topic}-value"
        self._schema = schema
        self._wanted = wanted
        self._app = app
        self._readers: dict[bytes, AvroReader | Refusal] = {}
        self._unknown: dict[bytes, Refusal] = {}
        self._writer = AvroWriter(schema)
        self._frame: bytes | None = None

    def read_many(self, messages: Sequence[Message], values: Sequence[bytes]) -> list[Record]:
        """The records of a chunk.

        Raises:
            Refusal: at least one value is not such a record.
            SchemaRegistryUnavailable: a schema is not known yet and the registry does not answer.
        """
        # What the registry does not know is asked for once per chunk: not per record, and not never again.
        self._unknown.clear()
        framed = [_unframed(message, value) for message, value in zip(messages, values, strict=True)]
        return [
            record
            for frame, run in groupby(framed, itemgetter(0))
            for record in self._reader(frame).many([body for _, body in run])
        ]

    def read_one(self, message: Message, value: bytes) -> Record:
        """The record of one message.

        Raises:
            Refusal: the value is not such a record.
            SchemaRegistryUnavailable: its schema is not known yet and the registry does not answer.
        """
        frame, body = _unframed(message, value)
        reader = self._reader(frame)
        try:
            return reader.one(body)
        except Refusal as refusal:
            raise undecodable(f"{refusal.detail} ({_named(frame)})") from None

    def write(self, record: Doc) -> bytes:
        """The value of a message with this record.

        Raises:
            SchemaError: the registry refuses the schema, for example as incompatible with earlier ones.
            SchemaRegistryUnavailable: the registry does not answer.
        """
        if self._frame is None:
            self._frame = self._registered()
        return self._frame + self._writer.write(record)

    def _reader(self, frame: bytes) -> AvroReader:
        reader = self._readers.get(frame) or self._unknown.get(frame) or self._learned(frame)
        if isinstance(reader, Refusal):
            raise undecodable(reader.detail)
        return reader

    def _learned(self, frame: bytes) -> AvroReader | Refusal:
        """Asks the registry for a schema; what it answers is kept, as the schema of an id never changes."""
        try:
            writer, references = self._fetched(frame)
        except Refusal as refusal:
            self._unknown[frame] = refusal
            return refusal
        try:
            reader: AvroReader | Refusal = self._made(writer, references)
        except SchemaError as error:
            reader = undecodable(f"{_named(frame)} cannot be read as a record of the stream: {error}")
        self._readers[frame] = reader
        return reader

    def _made(self, writer: RegistrySchema, references: list[RegistrySchema]) -> AvroReader:
        schema, *parts = (_json(each) for each in (writer, *references))
        record = record_schema(schema, "the writer's schema")
        # The app's field is read as it was written; it may be one that only the producers' schema has.
        app = [field for field in record["fields"] if field["name"] == self._app]
        return AvroReader(record, {**self._wanted, "fields": [*self._wanted["fields"], *app]}, parts)

    def _fetched(self, frame: bytes) -> tuple[RegistrySchema, list[RegistrySchema]]:
        try:
            if frame[0] == _BY_ID:
                schema = self._client.get_schema(int.from_bytes(frame[1:]))
            else:
                schema = self._client.get_schema_by_guid(str(UUID(bytes=frame[1:])))
            return schema, self._references(schema, {})
        except Refusal:
            raise
        except Exception as error:  # the client lets the errors of its HTTP library through
            code = getattr(error, "error_code", None)
            # 404xx is the registry saying so; a plain 404 may come from a proxy or a wrong address.
            if isinstance(error, SchemaRegistryError) and isinstance(code, int) and code // 100 == 404:
                raise undecodable(f"the schema registry does not know {_named(frame)}") from None
            _unavailable(error)

    def _references(
        self, schema: RegistrySchema, found: dict[tuple[str, Any], RegistrySchema]
    ) -> list[RegistrySchema]:
        """What it refers to, each once, and behind what it refers to itself."""
        parts = []
        for reference in schema.references or ():
            place: tuple[str, Any] = reference.subject or "", reference.version or "latest"
            if place in found:
                continue
            if len(found) == MAX_REFERENCES:
                raise undecodable(f"its schema refers to more than {MAX_REFERENCES} others")
            found[place] = part = self._client.get_version(*place).schema
            parts += [*self._references(part, found), part]
        return parts

    def _registered(self) -> bytes:
        text = orjson.dumps(self._schema).decode()
        try:
            schema_id = self._client.register_schema(self._subject, RegistrySchema(text, "AVRO"))
        except SchemaRegistryError as error:
            if error.http_status_code in (409, 422):
                raise SchemaError(
                    f"the schema registry refuses the schema of {self._subject}: {error}"
                ) from error
            _unavailable(error)
        except Exception as error:  # as above
            _unavailable(error)
        return bytes([_BY_ID]) + schema_id.to_bytes(4)


def _unframed(message: Message, value: bytes) -> tuple[bytes, bytes]:
    """Which schema wrote the record, and the record."""
    frame = next((held for name, held in all_headers(message) if name == SCHEMA_ID_HEADER), None)
    if isinstance(frame, bytes):
        if frame and len(frame) == _FRAME_BYTES.get(frame[0]):
            return frame, value
        raise undecodable(f"the header {SCHEMA_ID_HEADER} holds no schema id")
    length = _FRAME_BYTES.get(value[0], 0)
    if not 0 < length <= len(value):
        raise undecodable(
            "the value does not begin with a schema id; a schema registry's serializer puts it there, and "
            "records without one need `format: avro` or `json`"
        )
    return value[:length], value[length:]


def _json(schema: RegistrySchema) -> Any:
    if schema.schema_type != "AVRO":
        raise SchemaError(f"it is a {schema.schema_type} schema, not an Avro schema")
    text = schema.schema_str or ""
    if len(text) > MAX_SCHEMA_CHARACTERS:
        raise SchemaError(f"a schema has {len(text)} characters where {MAX_SCHEMA_CHARACTERS} are allowed")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise SchemaError("the writer's schema is not JSON") from None


def _named(frame: bytes) -> str:
    return f"schema {int.from_bytes(frame[1:])}" if frame[0] == _BY_ID else f"schema {UUID(bytes=frame[1:])}"


def _unavailable(error: Exception) -> NoReturn:
    status = f" (HTTP {error.http_status_code})" if isinstance(error, SchemaRegistryError) else ""
    raise SchemaRegistryUnavailable(
        f"the schema registry did not give a schema: {type(error).__name__}{status}"
    ) from error
