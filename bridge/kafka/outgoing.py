"""Makes the Kafka message for one record, by the same rules that will read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from bridge.core.stream import SinkStream
from bridge.kafka.apps import Apps, UnknownApp
from bridge.kafka.avro_schema import load_schema, projected
from bridge.kafka.deletion_keys import deletion_key
from bridge.kafka.refusal import too_large
from bridge.kafka.serde import MAX_RECORD_BYTES, Wire
from bridge.kafka.topics import AppSource, Topic, WireFormat
from bridge.kafka.validation import Validator


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Key, value and headers of a message."""

    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]]


class OutgoingRecords:
    """Turns records, each with its app in a field, into messages for a topic.

    The app goes where the topic's description says that it is found. `app_field` is the name of the field
    that holds it: the topic's own where it has one, else `app`.

    Raises:
        SchemaError: the app belongs into a field that the schema to write with does not have.
    """

    def __init__(
        self,
        stream: SinkStream,
        topic: Topic,
        wire: Wire,
        names: Mapping[str, str] | None = None,
        unknown: UnknownApp = "pass",
        max_record_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        self._wire = wire
        self._validator = Validator(stream.record)
        self._source = topic.app
        self._about_an_app = topic.app.from_ not in ("constant", "none")
        self._identity = stream.identity[0] if stream.ordered else None
        self._max_record_bytes = max_record_bytes
        self.app_field = (topic.app.from_ == "field" and topic.app.name) or "app"
        if topic.app.from_ == "field" and topic.format is not WireFormat.JSON:
            projected(load_schema(topic.schema_path), [self.app_field], str(topic.schema_path))
        self._apps = Apps(AppSource.model_validate({"from": "field", "name": self.app_field}), names, unknown)

    @property
    def needed_fields(self) -> list[str]:
        """The fields that no record can do without."""
        app = [self.app_field] if self._about_an_app else []
        return [*self._validator.required, *app]

    def message(self, record: Any) -> Outgoing:
        """The message for a record; fields that the stream does not declare are left out.

        Raises:
            Refusal: the bridge would not deliver the record; the detail says why.
            SchemaError, SchemaRegistryUnavailable: the topic's schema cannot be registered.
        """
        doc = self._validator.one(record)
        app = self._checked_app(record) if self._about_an_app else ""
        value = self._wire.write({**doc, self.app_field: app} if self._source.from_ == "field" else doc)
        if len(value) > self._max_record_bytes:
            raise too_large(f"the record has {len(value)} bytes where {self._max_record_bytes} are allowed")
        name, text = self._source.name or "", app.encode()
        return Outgoing(
            key=self.key(app, doc),
            value=value,
            headers=[(name, text)] if self._source.from_ == "header" else [],
        )

    def key(self, app: str, doc: Mapping[str, Any]) -> bytes:
        """The key for a record of this app.

        Raises:
            KeyError, AttributeError: what it is made of is not there, or no text.
        """
        if self._source.from_ == "key":
            return app.encode()
        if self._identity is not None and self._source.from_ == "none":
            return str(doc[self._identity]).encode()
        if self._identity is not None:
            return deletion_key(app or self._source.value or "", doc[self._identity])
        return _spread(app.encode(), doc)

    def _checked_app(self, record: Any) -> str:
        """The app as the record names it, once it is clear that it leads to an app id."""
        app: str = record.get(self.app_field)
        self._apps.id_of(app)
        return app


def _spread(app: bytes, doc: Mapping[str, Any]) -> bytes:
    """The same for all records of a person in an app, so that these stay in order; it names neither."""
    return blake2b(app + b"\0" + str(doc.get("email", "")).encode(), digest_size=8).hexdigest().encode()
