"""The records of the journal topic: keys and values, for the sink that writes and for those who look."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from bridge.core.journal import Entry, State


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands on a stream's topic."""

    partition: int
    offset: int


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

    def entry(self, value: bytes) -> Entry:
        """Reads an entry.

        Raises:
            ValueError, KeyError: it is none.
        """
        told: dict[str, Any] = orjson.loads(value)
        return Entry(
            batch=told["batch"],
            app=told["app"],
            partition=told["partition"],
            runs=tuple((first, count) for first, count in told["runs"]),
            digest=told["digest"],
            state=State(told["state"]),
            written=told["written"],
        )

    def resolution_key(self, place: Place) -> bytes:
        """The key of what was decided about a record in doubt."""
        return f"{self._prefix}{place.partition}/resolved/{place.offset}".encode()

    def resolution_value(self, resolution: Resolution) -> bytes:
        """A decision as JSON."""
        return orjson.dumps({"group": self.group, "topic": self.topic, **asdict(resolution)})

    def resolution(self, value: bytes) -> Resolution:
        """Reads a decision."""
        told: dict[str, Any] = orjson.loads(value)
        return Resolution(Place(**told["place"]), told["action"], told["reason"], told["at"])

    def parked_key(self, partition: int, app: str) -> bytes:
        """The key of what is known of an app with parked records of a partition."""
        return f"{self._prefix}{partition}/parked/{app}".encode()

    def parked_value(self, app: str, parked: Place) -> bytes:
        """Where the last of them stands on the parking topic, as JSON."""
        return orjson.dumps({"group": self.group, "topic": self.topic, "app": app, "last": asdict(parked)})

    def parked(self, value: bytes) -> Place:
        """Reads that."""
        return Place(**orjson.loads(value)["last"])

    def kind(self, key: bytes | None) -> tuple[str, int, str] | None:
        """Of a key of ours: `batch`, `parked` or `resolved`, the partition, and the rest; None for others."""
        text = (key or b"").decode(errors="replace")
        if not text.startswith(self._prefix):
            return None
        partition, kind, rest = text.removeprefix(self._prefix).split("/", 2)
        return kind, int(partition), rest


def headers_of(message: Any) -> Mapping[str, str]:
    """The headers that the bridge put beside a record, without `bridge.` before their names."""
    found = {}
    for name, value in message.headers() or []:
        if name.startswith("bridge.") and isinstance(value, bytes):
            found[name.removeprefix("bridge.")] = value.decode(errors="replace")
    return found
