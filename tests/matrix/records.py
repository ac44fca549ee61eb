"""The records of a cell: what is produced, with ids, and where on the topics each one stands."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

STREAMS = ("usage", "users", "spend")
OF_PEOPLE = ("users", "org_chart")
"""Streams in which the last word on a person counts."""
BEGIN = 1_767_225_600_000  # 2026-01-01, in milliseconds
POISON = "poison"
PEOPLE = 12  # of each app, so that most change again and again

Place = tuple[str, int, int]
"""Stream, partition, offset."""
Person = tuple[str, str]
"""App and e-mail address; in the org chart there is no app."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record that was produced. `doc` is what the API is to hold of it, None for a deletion."""

    id: str
    stream: str
    app: str
    key: str
    doc: Mapping[str, Any] | None

    @property
    def poisoned(self) -> bool:
        """Whether the API refuses it for good where the cell says so."""
        return self.doc is not None and any(POISON in str(value) for value in self.doc.values())

    @property
    def value(self) -> bytes | None:
        """As it goes onto the topic."""
        app = {"app": self.app} if self.app else {}
        return None if self.doc is None else json.dumps({**app, **self.doc}).encode()

    @property
    def person(self) -> Person:
        """Whom a user's change is about."""
        return self.app, self.key.partition("/")[2]

    @property
    def token(self) -> tuple[str, str]:
        """By which a document at the API is known again: its app and the text that bears the id."""
        doc = self.doc or {}
        return self.app, str(doc.get("eventName") or doc.get("description") or "")


class Records:
    """All records of one cell. `places` says where each stands, `words` what the topics say of each person.

    The same `seed` makes the same records. With `poison` some of the first app are marked.
    """

    def __init__(
        self, seed: str, apps: Iterable[str], partitions: int, poison: bool, streams: Iterable[str] = STREAMS
    ) -> None:
        self._random = Random(seed)
        self._streams = tuple(streams)
        self._apps = list(apps)
        self._partitions = partitions
        self._poison = poison
        self._numbers = count()
        self.places: dict[Place, Record] = {}
        self.words: dict[Person, list[tuple[Place, Record]]] = defaultdict(list)
        self._sent: Counter[tuple[str, int]] = Counter()

    def wave(self, records: int, poisoned: int = 2) -> Iterator[tuple[Place, Record]]:
        """So many new records of each stream with their places; with poison so many of them are marked."""
        marked = range(0, records, records // poisoned) if self._poison and poisoned else ()
        for stream in self._streams:
            for number in range(records):
                app = self._apps[number % len(self._apps)]
                record = getattr(self, f"_{stream}")(f"{stream}-{next(self._numbers)}", app, number in marked)
                yield self._place(record), record

    def ends(self) -> dict[tuple[str, int], int]:
        """The offset after the last record of each partition that has any."""
        return dict(self._sent)

    def _place(self, record: Record) -> Place:
        # By its key, as producers do: what is said of a person stays in order.
        partition = sum(record.key.encode()) % self._partitions
        offset = self._sent[record.stream, partition]
        self._sent[record.stream, partition] += 1
        place = (record.stream, partition, offset)
        self.places[place] = record
        if record.stream in OF_PEOPLE:
            self.words[record.person].append((place, record))
        return place

    def _usage(self, name: str, app: str, poisoned: bool) -> Record:
        number = int(name.partition("-")[2])
        event = {"timestamp": BEGIN + number, "email": f"user{number % 50}@example.com"}
        return Record(name, "usage", app, name, {**event, "eventName": _marked(name, poisoned)})

    def _users(self, name: str, app: str, poisoned: bool) -> Record:
        # The refused are people of their own, as a person whose last change is refused keeps the one before.
        person = name if poisoned else f"person{self._random.randrange(PEOPLE)}"
        email, key = f"{person}@example.com", f"{app}/{person}@example.com"
        if not poisoned and self._random.random() < 0.2:
            return Record(name, "users", app, key, None)
        return Record(name, "users", app, key, {"email": email, "role": _marked(name, poisoned)})

    def _org_chart(self, name: str, _app: str, poisoned: bool) -> Record:
        person = name if poisoned else f"person{self._random.randrange(PEOPLE)}"
        email = f"{person}@example.com"
        return Record(name, "org_chart", "", f"/{email}", {"email": email, "title": _marked(name, poisoned)})

    def _spend(self, name: str, app: str, poisoned: bool) -> Record:
        amount = f"{self._random.randrange(-10_000, 10_000_000) / 100:.2f}"
        payment = {"amount": amount, "currency": "EUR", "date": "2026-01-31"}
        return Record(name, "spend", app, name, {**payment, "description": _marked(name, poisoned)})


def _marked(name: str, poisoned: bool) -> str:
    return f"{name} {POISON}" if poisoned else name
