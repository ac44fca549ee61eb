"""Mends the records of dead letters: fields are set, renamed and dropped, and what comes out is checked."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from confluent_kafka import Message

from bridge.core.errors import ConfigError
from bridge.core.record import Doc
from bridge.core.stream import SinkStream
from bridge.kafka.avro_schema import SCHEMA_ID_HEADER, Schema
from bridge.kafka.contents import Contents
from bridge.kafka.dead_letters import own_headers
from bridge.kafka.input_lines import cell_reader
from bridge.kafka.outgoing import OutgoingRecords
from bridge.kafka.refusal import Refusal, undecodable
from bridge.kafka.serde import TopicDecoder, Wire
from bridge.kafka.validation import Validator


@dataclass(frozen=True, slots=True)
class Edits:
    """What to do with each record, in this order: rename fields, drop fields, set fields."""

    rename: Mapping[str, str] = field(default_factory=dict)
    drop: Collection[str] = ()
    set: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rename or self.drop or self.set)

    def of(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record, edited; to rename or drop a field that it does not have changes nothing."""
        edited = {name: value for name, value in record.items() if name not in self.rename}
        edited |= {new: record[old] for old, new in self.rename.items() if old in record}
        return {name: value for name, value in edited.items() if name not in self.drop} | dict(self.set)


def read_edits(
    renamed: Iterable[str],
    dropped: Iterable[str],
    told: Iterable[str],
    schema: Schema,
    fields: Collection[str],
) -> Edits:
    """Edits from text: `old=new`, `field` and `field=value`, the value in the type that `schema` gives it.

    `fields` are those that the bridge reads. To make a field of another name is taken for a slip.

    Raises:
        ConfigError: a text is none of these, or names such a field.
    """
    kinds = {each["name"]: each["type"] for each in schema["fields"]}
    rename = dict(_pair(text, "--rename old=new") for text in renamed)
    cells = dict(_pair(text, "--set field=value") for text in told)
    for name in (*rename.values(), *cells):
        if name not in fields:
            near = get_close_matches(name, fields, 1) or sorted(fields)
            raise ConfigError(f"the bridge reads no field {name!r} of this stream; did you mean {near[0]!r}?")
    values = {name: cell_reader(kinds.get(name, "string"))(cell) for name, cell in cells.items()}
    return Edits(rename, frozenset(dropped), values)


def _pair(text: str, form: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise ConfigError(f"{text!r} is not of the form {form}")
    return name, value


@dataclass(frozen=True, slots=True)
class Mended:
    """A record before and after, and the parts of the message that it becomes."""

    before: Doc
    after: Doc
    key: bytes | None
    value: bytes
    headers: list[tuple[str, Any]]


class FixUp:
    """Makes records that the bridge will take, or says why it cannot."""

    def __init__(
        self,
        edits: Edits,
        stream: SinkStream,
        contents: Contents,
        wire: Wire,
        outgoing: OutgoingRecords,
        decoder: TopicDecoder,
    ) -> None:
        self._edits = edits
        self._validator = Validator(stream.record)
        self._contents = contents
        self._wire = wire
        self._outgoing = outgoing
        self._decoder = decoder

    def mended(self, message: Message) -> Mended:
        """What becomes of a dead letter.

        Its key follows the fields that it is made of if it did so before, and stays as it is if not.

        Raises:
            Refusal: it cannot be read, or would be refused again; the detail says why.
        """
        before = self._contents.record(message)
        edited = self._edits.of(before)
        after = {**edited, **self._validator.one(edited)}
        try:
            value = self._wire.write(after)
        except (ValueError, TypeError):  # a writer says no more
            raise undecodable("the edited record cannot be written in the topic's format") from None
        headers = [each for each in own_headers(message) if each[0] != SCHEMA_ID_HEADER]
        key = self._key(message, before, after)
        again = self._decoder.decode([Message(key=key, value=value, headers=headers)])
        if again.refused:
            raise Refusal(again.refused[0].reason, again.refused[0].detail)
        return Mended(before, after, key, value, headers)

    def _key(self, message: Message, before: Doc, after: Doc) -> bytes | None:
        key = message.key()
        return key if key is None or key != self._derived(message, before) else self._derived(message, after)

    def _derived(self, message: Message, record: Doc) -> bytes | None:
        """The key that `send` gives such a record; None if it lacks what that is made of."""
        try:
            return self._outgoing.key(self._contents.app_in(message, record) or "", record)
        except (KeyError, AttributeError):
            return None
