"""Between the values of Kafka messages and validated documents, for one topic."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from confluent_kafka import Message

from bridge.core.errors import ConfigError
from bridge.core.record import Decoded, Doc, Refused
from bridge.core.stream import SinkStream
from bridge.kafka.apps import Apps, UnknownApp
from bridge.kafka.avro_schema import Schema, load_schema, projected
from bridge.kafka.deletion_keys import DeletionKeys
from bridge.kafka.direct_json import DirectJson, direct_json
from bridge.kafka.refusal import Refusal, SchemaRegistryUnavailable, too_large, undecodable
from bridge.kafka.topics import OutputTopic, Topic, WireFormat
from bridge.kafka.validation import Validator
from bridge.kafka.wire_avro import AvroWire
from bridge.kafka.wire_json import JsonWire

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

__all__ = [
    "MAX_RECORD_BYTES",
    "SchemaRegistryUnavailable",
    "TopicDecoder",
    "Wire",
    "decoder",
    "output_wire",
    "registry_client",
    "wire",
]

MAX_RECORD_BYTES = 1_048_576


class Wire(Protocol):
    """One wire format: what a record looks like as the value of a message."""

    def read_many(self, messages: Sequence[Message], values: Sequence[bytes]) -> list[Any]:
        """The records of a chunk; raises Refusal if it is at least one that cannot be read."""
        ...

    def read_one(self, message: Message, value: bytes) -> Any:
        """The record of one message; raises Refusal that says why it cannot be read."""
        ...

    def write(self, record: Doc) -> bytes:
        """The value of a message with this record."""
        ...


class TopicDecoder:
    """Decodes the messages of one topic, validates them as records of its stream, and finds their apps.

    A chunk goes through in bulk. If anything in it is refused, it goes through again record by record, so
    that a bad record costs time and not its neighbours. `direct`, where there is one, reads and validates in
    one step, and a record that it does not take goes the long way. A value longer than `max_record_bytes` is
    refused unread, and no more bytes than that go through at once: as objects they can take twenty times the
    memory.
    """

    def __init__(
        self,
        stream: SinkStream,
        wire: Wire,
        apps: Apps,
        max_record_bytes: int = MAX_RECORD_BYTES,
        direct: DirectJson | None = None,
    ) -> None:
        self._wire = wire
        self._direct = direct
        self._validator = Validator(stream.record)
        self._deletions = DeletionKeys(stream.deletions, apps) if stream.deletions else None
        self._apps = apps
        self._max_record_bytes = max_record_bytes

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Decodes messages that carry no error; bad records come back as `refused`.

        Raises:
            SchemaRegistryUnavailable: a schema is needed and the registry does not answer. Nothing is wrong
                with the records: pause, and decode the same messages again.
        """
        values = [message.value() for message in messages]
        decoded = Decoded()
        for part in _parts(values, self._max_record_bytes):
            try:
                decoded.extend(self._all(messages[part], values[part]))
            except Refusal:
                decoded.extend(self._each(messages[part], values[part]))
        return decoded

    def _all(self, messages: Sequence[Message], values: list[bytes | None]) -> Decoded:
        whole = [value for value in values if value]
        sizes = list(map(len, whole))
        if len(whole) < len(values) or (sizes and max(sizes) > self._max_record_bytes):
            raise undecodable("at least one value of the chunk is empty or too long")
        if self._direct is None:
            records = self._wire.read_many(messages, whole)
            docs = self._validator.many(records)
            apps = self._apps.of(messages, records)
        else:
            apps, docs = self._directly(self._direct, messages, whole)
        return Decoded(list(messages), apps, docs, sizes)

    def _directly(
        self, direct: DirectJson, messages: Sequence[Message], values: Sequence[bytes]
    ) -> tuple[list[str], list[Doc]]:
        """The apps and documents of a chunk, in one step."""
        docs = direct.many(values)
        apps = self._apps.of(messages, docs)
        direct.without_app(docs)
        return apps, docs

    def _each(self, messages: Sequence[Message], values: list[bytes | None]) -> Decoded:
        decoded = Decoded()
        for message, value in zip(messages, values, strict=True):
            try:
                app, doc = self._one(message, value)
            except Refusal as refusal:
                refused = Refused(message, refusal.reason, refusal.detail, field=refusal.field)
                decoded.refused.append(refused)
                continue
            decoded.origins.append(message)
            decoded.apps.append(app)
            decoded.docs.append(doc)
            decoded.sizes.append(len(value or b""))
        return decoded

    def _one(self, message: Message, value: bytes | None) -> tuple[str, Doc]:
        if value is None and self._deletions is not None:
            return self._deletions.read(message.key())
        if not value:
            raise undecodable("the record has no value; send the record, as this stream has no deletions")
        if len(value) > self._max_record_bytes:
            raise too_large(f"the value has {len(value)} bytes where {self._max_record_bytes} are allowed")
        if self._direct is not None:
            with suppress(Refusal):  # which does not say why, or is no refusal of the long way
                [app], [doc] = self._directly(self._direct, [message], [value])
                return app, doc
        record = self._wire.read_one(message, value)
        doc = self._validator.one(record)
        return self._apps.of([message], [record])[0], doc


def _parts(values: Sequence[bytes | None], most: int) -> Iterator[slice]:
    """Where to cut a chunk for each part to have at most so many bytes, or a single value."""
    if sum(map(len, filter(None, values))) <= most:  # as nearly always
        yield slice(None)
        return
    begin = size = 0
    for end, value in enumerate(values):
        size += len(value or b"")
        if size > most and end > begin:
            yield slice(begin, end)
            begin, size = end, len(value or b"")
    yield slice(begin, None)


def registry_client(settings: Mapping[str, Any]) -> "SchemaRegistryClient":
    """A client for the schema registry that `url` in `settings` names; `mock://name` is one in memory."""
    # Imported where it is needed: it takes 0.3 s, which a bridge without a registry should not wait.
    from bridge.kafka import wire_registry

    return wire_registry.registry_client(settings)


def wire(stream: SinkStream, topic: Topic, registry: "SchemaRegistryClient | None" = None) -> Wire:
    """The wire format of a topic.

    Raises:
        SchemaError: the topic's schema cannot be used, or lacks a field of the stream.
        ConfigError: the topic's format needs a registry, and there is none.
    """
    if topic.format is WireFormat.JSON:
        return JsonWire(stream.exact)
    schema, where = load_schema(topic.schema_path), str(topic.schema_path)
    fields = list(stream.record.__annotations__)
    app = topic.app.name if topic.app.from_ == "field" else None
    if topic.format is WireFormat.AVRO:
        return AvroWire(schema, projected(schema, [*fields, app] if app else fields, where))
    return _registry_wire(topic.topic, registry, schema, projected(schema, fields, where), app)


def output_wire(topic: OutputTopic, registry: "SchemaRegistryClient | None" = None) -> Wire:
    """The wire format of a topic that a source fills: all fields of its schema, times in ms since 1970.

    Raises:
        SchemaError: the topic's schema cannot be used.
        ConfigError: the topic's format needs a registry, and there is none.
    """
    if topic.format is WireFormat.JSON:
        return JsonWire()
    schema = load_schema(topic.schema_path)
    if topic.format is WireFormat.AVRO:
        return AvroWire(schema, schema)
    return _registry_wire(topic.topic, registry, schema, schema, None)


def _registry_wire(
    topic: str, registry: "SchemaRegistryClient | None", schema: Schema, wanted: Schema, app: str | None
) -> Wire:
    if registry is None:
        raise ConfigError(f"the format avro_registry of topic {topic} needs a schema registry; give its url")
    from bridge.kafka.wire_registry import RegistryWire  # as above

    return RegistryWire(registry, topic, schema, wanted, app)


def decoder(
    stream: SinkStream,
    topic: Topic,
    *,
    names: Mapping[str, str] | None = None,
    unknown: UnknownApp = "pass",
    registry: "SchemaRegistryClient | None" = None,
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> TopicDecoder:
    """The decoder of a topic. `names` maps apps to Productiv app ids, `unknown` says what of all others.

    Raises:
        SchemaError: the topic's schema cannot be used, or lacks a field of the stream.
        ConfigError: the topic's format needs a registry, and there is none, or `names` is wrong.
    """
    apps = Apps(topic.app, names, unknown)
    direct = None
    if topic.format is WireFormat.JSON and not stream.exact:
        direct = direct_json(stream.record, topic.app.name if topic.app.from_ == "field" else None)
    return TopicDecoder(stream, wire(stream, topic, registry), apps, max_record_bytes, direct)
