"""The records of the journal topic: keys and values, for the sink that writes and for those who look."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from pydantic import TypeAdapter

from bridge.core.journal import Entry, State
from bridge.kafka.headers import all_headers

_ENTRY = TypeAdapter(Entry)
_NUMBER = re.compile("[0-9]{1,19}")

MAX_RECORDS = 1000
"""In a batch, by the API's limit."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands on a stream's topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class _ParkedApp:
    last: Place


_PARKED = TypeAdapter(_ParkedApp)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What somebody decided about a record in doubt: `resent` or `discarded`, with a reason."""

    place: Place
    action: str
    reason: str
    at: int
    """Milliseconds since 1970."""


class JournalFormat:
    """Keys begin with consumer group and topic, so that several bridges may share one journal topic."""

    def __init__(self, group: str, topic: str) -> None:
        self.group = group
        self.topic = topic
        self._prefix = f"{group}/{topic}/"

    def transactional_id(self, partition: int) -> str:
        """Of the one process that may write about a partition."""
        return f"{self.group}.journal.{self.topic}.{partition}"

    def entry_key(self, partition: int, batch: str) -> bytes:
        """The key of a batch's entry."""
        return f"{self._prefix}{partition}/batch/{batch}".encode()

    def entry_value(self, entry: Entry) -> bytes:
        """The entry as JSON, for machines and for people who look into the topic."""
        return orjson.dumps({"group": self.group, "topic": self.topic, **asdict(entry)})

    def entry(self, partition: int, value: bytes) -> Entry:
        """Reads an entry, which a key says is about this partition.

        Raises:
            ValueError: it is none, or one that nobody can have written.
        """
        entry = _ENTRY.validate_json(value)
        counts = [count for _, count in entry.runs]
        most = math.inf if entry.state is State.PASSED else MAX_RECORDS  # a mark is about all before it
        if entry.partition != partition or not counts or min(counts) < 1 or sum(counts) > most:
            raise ValueError("these are not the records of a batch")
        return entry

    def resolution_key(self, place: Place) -> bytes:
        """The key of what was decided about a record in doubt."""
        return f"{self._prefix}{place.partition}/resolved/{place.offset}".encode()

    def resolution_value(self, resolution: Resolution) -> bytes:
        """A decision as JSON."""
        return orjson.dumps({"group": self.group, "topic": self.topic, **asdict(resolution)})

    def parked_key(self, partition: int, app: str) -> bytes:
        """The key of what is known of an app with parked records of a partition."""
        return f"{self._prefix}{partition}/parked/{app}".encode()

    def parked_value(self, app: str, parked: Place) -> bytes:
        """Where the last of them stands on the parking topic, as JSON."""
        return orjson.dumps({"group": self.group, "topic": self.topic, "app": app, "last": asdict(parked)})

    def parked(self, value: bytes) -> Place:
        """Reads that.

        Raises:
            ValueError: it is none, or one that nobody can have written.
        """
        place = _PARKED.validate_json(value).last
        if min(place.partition, place.offset) < 0:
            raise ValueError("this is no place on a topic")
        return place

    def kind(self, key: bytes | None) -> tuple[str, int, str] | None:
        """Of a key of ours: `batch`, `parked` or `resolved`, the partition, and the rest; None for others."""
        text = (key or b"").decode(errors="replace")
        if not text.startswith(self._prefix):
            return None
        partition, _, named = text.removeprefix(self._prefix).partition("/")
        kind, _, rest = named.partition("/")
        return (kind, int(partition), rest) if _NUMBER.fullmatch(partition) and rest else None

    def resolved(self, key: bytes | None) -> Place | None:
        """The record that a key says was decided about; None for any other key."""
        kind = self.kind(key)
        if kind is None or kind[0] != "resolved" or not _NUMBER.fullmatch(kind[2]):
            return None
        return Place(kind[1], int(kind[2]))


def place_of(told: Mapping[str, str]) -> Place | None:
    """Where the record was that these headers stand beside; None if they do not say."""
    partition, offset = told.get("partition", ""), told.get("offset", "")
    if _NUMBER.fullmatch(partition) and _NUMBER.fullmatch(offset):
        return Place(int(partition), int(offset))
    return None


def headers_of(message: Any) -> Mapping[str, str]:
    """The headers that the bridge put beside a record, without `bridge.` before their names."""
    found = {}
    for name, value in all_headers(message):
        if name.startswith("bridge.") and isinstance(value, bytes):
            found[name.removeprefix("bridge.")] = value.decode(errors="replace")
    return found
