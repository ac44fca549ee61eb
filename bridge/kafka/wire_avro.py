"""Records as Avro without a registry: the project's own schema on both sides."""

from collections.abc import Sequence
from io import BytesIO

from confluent_kafka import Message
from fastavro import parse_schema, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from bridge.core.record import Doc
from bridge.kafka.avro_reader import AvroReader, Record
from bridge.kafka.avro_schema import Schema
from bridge.kafka.refusal import Refusal, undecodable

# Single-object encoding (Avro specification): two marker bytes and the schema's fingerprint come first.
_MARKER = b"\xc3\x01"
_HEADER_BYTES = 10


class AvroWriter:
    """Writes records as Avro binary, nothing before or after it."""

    def __init__(self, schema: Schema) -> None:
        self._schema = parse_schema(schema)

    def write(self, record: Doc) -> bytes:
        """The record's bytes; fields that the schema does not have are left out.

        Raises:
            ValueError, TypeError: a field that the schema needs is missing or of another type.
        """
        target = BytesIO()
        schemaless_writer(target, self._schema, record)
        return target.getvalue()


class AvroWire:
    """Reads and writes Avro binary; reads single-object encoding as well.

    `schema` is what producers write with, `wanted` the part of it that the bridge reads.
    """

    def __init__(self, schema: Schema, wanted: Schema) -> None:
        self._reader = AvroReader(schema, wanted)
        self._writer = AvroWriter(schema)
        self._header = _MARKER + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))

    def read_many(self, messages: Sequence[Message], values: Sequence[bytes]) -> list[Record]:
        """The records of a chunk, all in one of the two encodings.

        Raises:
            Refusal: at least one value is not such a record.
        """
        # A producer uses one encoding for all, so the first value tells, and `many` notices if it does not.
        if values and values[0].startswith(self._header):
            values = [value.removeprefix(self._header) for value in values]
        return self._reader.many(values)

    def read_one(self, message: Message, value: bytes) -> Record:
        """The record of one message.

        Raises:
            Refusal: the value is not exactly one record of the schema.
        """
        try:
            return self._reader.one(value.removeprefix(self._header))
        except Refusal as refusal:
            raise undecodable(refusal.detail + self._hint(value)) from None

    def write(self, record: Doc) -> bytes:
        """The value of a message with this record."""
        return self._writer.write(record)

    def _hint(self, value: bytes) -> str:
        if value[:1] == b"\0" and len(value) > 5:
            return "; it looks like a schema registry's framing, which needs `format: avro_registry`"
        if value.startswith(_MARKER) and len(value) >= _HEADER_BYTES:
            return "; its single-object header names another schema"
        return ""
