"""Who knows what is owed: makes the records of a cell, and judges what became of each. Knows no bridge.

    usage    every event at the API or in the dead letters, never in both; at the API as it was produced
    users    the API holds of each person what the topic said last
    spend    every payment at the API at most once; it is there, or in doubt, or in the dead letters

A user's change is settled once the API holds it or a later change of the same person; what it held in between
nobody can ask it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

STREAMS = ("usage", "users", "spend")
BEGIN = 1_767_225_600_000  # 2026-01-01, in milliseconds
POISON = "poison"
PEOPLE = 12  # of each app, so that most change again and again

Place = tuple[str, int, int]
"""Stream, partition, offset."""
Person = tuple[str, str]
"""App and e-mail address."""


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
        return None if self.doc is None else json.dumps({"app": self.app, **self.doc}).encode()


@dataclass(slots=True)
class Seen:
    """What there is at one moment. Offsets committed are read first, so all before them must be settled.

    `usage` and `spend` are the documents accepted, each with its app, as often as they were; `users` what the
    API holds of each person; `dead` and `in_doubt` how often a record stands on these topics.
    """

    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    usage: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    spend: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    users: dict[Person, dict[str, Any]] = field(default_factory=dict)
    dead: Counter[Place] = field(default_factory=Counter)
    in_doubt: Counter[Place] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may come of a cell: whether the marked records are refused, whether others may be, and how many
    records may be sent twice or be in doubt.
    """

    poison: bool = False
    may_bury: bool = False
    twice: int = 0
    in_doubt: int = 0


class Oracle:
    """The records of one cell, and where each one stands."""

    def __init__(self, seed: str, apps: Iterable[str], partitions: int, poison: bool) -> None:
        self._random = Random(seed)
        self._apps = list(apps)
        self._partitions = partitions
        self._poison = poison
        self._numbers = count()
        self.places: dict[Place, Record] = {}
        self._words: dict[Person, list[tuple[Place, Record]]] = defaultdict(list)
        self._sent: Counter[tuple[str, int]] = Counter()

    # -- what is owed --------------------------------------------------------------------------------------

    def wave(self, records: int) -> Iterator[tuple[Place, Record]]:
        """So many new records of each stream with the places they are to have; the first app gets poison."""
        for stream in STREAMS:
            for number in range(records):
                app = self._apps[number % len(self._apps)]
                poisoned = self._poison and number % (records // 2) == 0  # two in a wave, of the first app
                record = getattr(self, f"_{stream}")(f"{stream}-{next(self._numbers)}", app, poisoned)
                yield self._place(record), record

    def _place(self, record: Record) -> Place:
        # By its key, as producers do: what is said of a person stays in order.
        partition = sum(record.key.encode()) % self._partitions
        offset = self._sent[record.stream, partition]
        self._sent[record.stream, partition] += 1
        place = (record.stream, partition, offset)
        self.places[place] = record
        if record.stream == "users":
            self._words[_person(record)].append((place, record))
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

    def _spend(self, name: str, app: str, poisoned: bool) -> Record:
        amount = f"{self._random.randrange(-10_000, 10_000_000) / 100:.2f}"
        payment = {"amount": amount, "currency": "EUR", "date": "2026-01-31"}
        return Record(name, "spend", app, name, {**payment, "description": _marked(name, poisoned)})

    # -- what became of it ---------------------------------------------------------------------------------

    def ends(self) -> dict[tuple[str, int], int]:
        """The offset after the last record of each partition that has any."""
        return dict(self._sent)

    def unsettled(self, seen: Seen) -> dict[Place, Record]:
        """The records that are nowhere yet."""
        there = {
            "usage": {(app, doc["eventName"]) for app, doc in seen.usage},
            "spend": {(app, doc["description"]) for app, doc in seen.spend},
        }
        aside = seen.dead.keys() | seen.in_doubt.keys()
        nowhere = {
            place: record
            for place, record in self.places.items()
            if record.stream != "users" and place not in aside and _token(record) not in there[record.stream]
        }
        for person, words in self._words.items():
            nowhere |= self._unsaid(words, seen.users.get(person), aside)
        return nowhere

    def _unsaid(
        self, words: list[tuple[Place, Record]], held: dict[str, Any] | None, aside: set[Place]
    ) -> dict[Place, Record]:
        """The changes of one person after the last one that the API holds or that was refused."""
        reached = [n for n, (place, word) in enumerate(words) if place in aside or word.doc == held]
        return dict(words[max(reached) + 1 :] if reached else words)

    def passed_too_far(self, seen: Seen) -> list[Place]:
        """Records that are not settled although the offset committed says so.

        A user's change that is not at the API may stand behind a later one of the same person; it is lost
        only if the offset committed has passed the last of them.
        """
        return [
            place
            for place, record in self.unsettled(seen).items()
            if self._last_word(place, record)[2] < seen.committed.get(place[:2], 0)
        ]

    def _last_word(self, place: Place, record: Record) -> Place:
        return self._words[_person(record)][-1][0] if record.stream == "users" else place

    def beyond(self, offsets: Mapping[tuple[str, int], int], seen: Seen) -> int:
        """How many records stand at or after these offsets that are settled already."""
        unsettled = self.unsettled(seen)
        return sum(p[2] >= offsets.get(p[:2], 0) and p not in unsettled for p in self.places)

    def twice(self, seen: Seen) -> int:
        """How many records were accepted or put aside once more than needed."""
        usage = Counter((app, doc["eventName"]) for app, doc in seen.usage)
        return sum(n - 1 for counts in (usage, seen.dead, seen.in_doubt) for n in counts.values())

    def wrongs(self, seen: Seen, allowed: Allowed) -> list[str]:
        """All that is wrong at the end, in sentences; an empty list if nothing is."""
        found = [f"lost: {_names(self.unsettled(seen).values())}" if self.unsettled(seen) else ""]
        found += [self._two_places(seen, allowed), self._refused(seen, allowed), *self._content(seen)]
        found += [self._users_wrong(seen), self._paid_twice(seen), self._not_committed(seen)]
        if (twice := self.twice(seen)) > allowed.twice:
            found.append(f"sent twice: {twice} records, and {allowed.twice} were in flight")
        if len(seen.in_doubt) > allowed.in_doubt:
            found.append(f"in doubt: {len(seen.in_doubt)} records, and {allowed.in_doubt} may be")
        return [each for each in found if each]

    def _two_places(self, seen: Seen, allowed: Allowed) -> str:
        there = {(app, doc["eventName"]) for app, doc in seen.usage}
        there |= {(app, doc["description"]) for app, doc in seen.spend}
        buried = {place: self.places[place] for place in seen.dead if place in self.places}
        both = [
            record
            for place, record in buried.items()
            if place in seen.in_doubt
            or (_token(record) in there)
            or (record.doc is not None and record.doc == seen.users.get(_person(record)))
        ]
        # A second copy may be refused where the API refuses what it would take.
        refused_again = allowed.twice if allowed.may_bury else 0
        return f"in two places: {_names(both)}" if len(both) > refused_again else ""

    def _refused(self, seen: Seen, allowed: Allowed) -> str:
        owed = {place for place, record in self.places.items() if allowed.poison and record.poisoned}
        stray = [p for p in seen.dead if p not in self.places]
        stray += [p for p in seen.in_doubt if p not in self.places or p[0] != "spend"]
        # What was refused may be in doubt all the same, if the process died before it could note the answer.
        missing = owed - seen.dead.keys() - seen.in_doubt.keys()
        added = set() if allowed.may_bury else seen.dead.keys() - owed
        if not (stray or missing or added):
            return ""
        names = [_names(self.places[p] for p in places if p in self.places) for places in (missing, added)]
        return f"dead letters: missing {names[0]}; wrongly there {names[1]}; strange {len(stray)}"

    def _content(self, seen: Seen) -> Iterator[str]:
        for stream, docs in (("usage", seen.usage), ("spend", seen.spend)):
            owed = {_token(r): r.doc for r in self.places.values() if r.stream == stream}
            name = "eventName" if stream == "usage" else "description"
            changed = [doc[name] for app, doc in docs if owed.get((app, doc[name])) != doc]
            if changed:
                yield f"not as produced: {changed[:5]}"

    def _users_wrong(self, seen: Seen) -> str:
        wrong = [person for person in seen.users if person not in self._words]
        for person, words in self._words.items():
            held = seen.users.get(person)
            if not any(place in seen.dead for place, _ in words):
                wrong += [person] if held != words[-1][1].doc else []
            elif held is not None and held not in [word.doc for _, word in words]:
                wrong.append(person)
        return f"users wrong: {len(wrong)}, such as {wrong[0]}" if wrong else ""

    def _paid_twice(self, seen: Seen) -> str:
        counts = Counter((app, doc["description"]) for app, doc in seen.spend)
        twice = [place for place, record in self.places.items() if counts[_token(record)] > 1]
        return f"paid twice: {len(twice)} payments, such as {twice[:5]}" if twice else ""

    def _not_committed(self, seen: Seen) -> str:
        behind = {part: end for part, end in self.ends().items() if seen.committed.get(part) != end}
        return f"not committed to the end: {sorted(behind)}" if behind else ""


def _marked(name: str, poisoned: bool) -> str:
    return f"{name} {POISON}" if poisoned else name


def _person(record: Record) -> Person:
    return record.app, record.key.partition("/")[2]


def _token(record: Record) -> tuple[str, str]:
    """By which a document at the API is known again."""
    doc = record.doc or {}
    return record.app, str(doc.get("eventName") or doc.get("description") or "")


def _names(records: Iterable[Record]) -> str:
    names = sorted(record.id for record in records)
    return f"{len(names)} ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})"
