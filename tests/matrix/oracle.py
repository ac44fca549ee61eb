"""Who knows what is owed, and judges what became of it. It shares no code with the bridge.

    usage    every event at the API or in the dead letters, never in both; at the API as it was produced
    users    the API holds of each person what the topic said last
    spend    every payment at the API at most once; it is there, or in doubt, or in the dead letters
    org_chart  as users

A user's change is settled once the API holds it or a later change of the same person; what it held in between
nobody can ask it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.matrix.records import OF_PEOPLE, Person, Place, Record, Records


@dataclass(slots=True)
class Seen:
    """What there is at one moment. Offsets committed are read first, so all before them must be settled.

    `usage` and `spend` are the documents accepted, each with its app, as often as they were; `users` what the
    API holds of each person; `dead` and `in_doubt` how often a record stands on these topics; `parked` which
    record stood at each place of the parking topics. Parked is settled, but at the end it must be delivered.
    `hidden` says that more may stand on these topics, behind a transaction that is open.
    """

    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    usage: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    spend: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    users: dict[Person, dict[str, Any]] = field(default_factory=dict)
    dead: Counter[Place] = field(default_factory=Counter)
    in_doubt: Counter[Place] = field(default_factory=Counter)
    parked: dict[Place, Place] = field(default_factory=dict)
    hidden: bool = False


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
    """Judges what became of the records of one cell."""

    def __init__(self, owed: Records) -> None:
        self._owed = owed

    def unsettled(self, seen: Seen) -> dict[Place, Record]:
        """The records that are nowhere yet."""
        there = {
            "usage": {(app, doc["eventName"]) for app, doc in seen.usage},
            "spend": {(app, doc["description"]) for app, doc in seen.spend},
        }
        aside = seen.dead.keys() | seen.in_doubt.keys()
        nowhere = {
            place: record
            for place, record in self._owed.places.items()
            if record.stream not in OF_PEOPLE
            and place not in aside
            and record.token not in there[record.stream]
        }
        for person, words in self._owed.words.items():
            nowhere |= self._unsaid(words, seen.users.get(person), aside)
        return nowhere

    def _unsaid(
        self, words: list[tuple[Place, Record]], held: dict[str, Any] | None, aside: set[Place]
    ) -> dict[Place, Record]:
        """The changes of one person after the last one that the API holds or that was refused."""
        reached = [n for n, (place, word) in enumerate(words) if place in aside or word.doc == held]
        return dict(words[max(reached) + 1 :] if reached else words)

    def behind(self, seen: Seen) -> dict[tuple[str, int], int]:
        """The end of each partition of which not all is committed, by stream and partition."""
        ends = self._owed.ends().items()
        return {part: end for part, end in ends if seen.committed.get(part) != end}

    def passed_too_far(self, seen: Seen) -> list[Place]:
        """Records that are not settled although the offset committed says so.

        A user's change that is not at the API may stand behind a later one of the same person; it is lost
        only if the offset committed has passed the last of them. While something is hidden nothing can be
        said: the process that was killed within a transaction has not been followed yet.
        """
        if seen.hidden:
            return []
        parked = set(seen.parked.values())
        last_words = {place: self._last_word(place, record) for place, record in self.unsettled(seen).items()}
        return [
            place
            for place, last in last_words.items()
            if last[2] < seen.committed.get(last[:2], 0) and last not in parked
        ]

    def _last_word(self, place: Place, record: Record) -> Place:
        return self._owed.words[record.person][-1][0] if record.stream in OF_PEOPLE else place

    def beyond(self, offsets: Mapping[tuple[str, int], int], seen: Seen) -> int:
        """How many records stand at or after these offsets that are settled already."""
        unsettled = self.unsettled(seen).keys() - seen.parked.values()
        settled = [*(self._owed.places.keys() - unsettled), *seen.parked]
        return sum(place[2] >= offsets.get(place[:2], 0) for place in settled)

    def twice(self, seen: Seen) -> int:
        """How many records were accepted or put aside once more than needed."""
        usage = Counter((app, doc["eventName"]) for app, doc in seen.usage)
        return sum(n - 1 for counts in (usage, seen.dead, seen.in_doubt) for n in counts.values())

    def paid_twice(self, seen: Seen) -> list[Place]:
        """The payments that were accepted more than once."""
        counts = Counter((app, doc["description"]) for app, doc in seen.spend)
        return [place for place, record in self._owed.places.items() if counts[record.token] > 1]

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
        buried = {place: self._owed.places[place] for place in seen.dead if place in self._owed.places}
        both = [
            record
            for place, record in buried.items()
            if place in seen.in_doubt
            or (record.token in there)
            or (record.doc is not None and record.doc == seen.users.get(record.person))
        ]
        # A second copy may be refused where the API refuses what it would take.
        refused_again = allowed.twice if allowed.may_bury else 0
        return f"in two places: {_names(both)}" if len(both) > refused_again else ""

    def _refused(self, seen: Seen, allowed: Allowed) -> str:
        owed = {place for place, record in self._owed.places.items() if allowed.poison and record.poisoned}
        stray = [p for p in seen.dead if p not in self._owed.places]
        stray += [p for p in seen.in_doubt if p not in self._owed.places or p[0] != "spend"]
        # What was refused may be in doubt all the same, if the process died before it could note the answer.
        missing = owed - seen.dead.keys() - seen.in_doubt.keys()
        added = set() if allowed.may_bury else seen.dead.keys() - owed
        if not (stray or missing or added):
            return ""
        names = [
            _names(self._owed.places[p] for p in places if p in self._owed.places)
            for places in (missing, added)
        ]
        return f"dead letters: missing {names[0]}; wrongly there {names[1]}; strange {len(stray)}"

    def _content(self, seen: Seen) -> Iterator[str]:
        for stream, docs in (("usage", seen.usage), ("spend", seen.spend)):
            owed = {r.token: r.doc for r in self._owed.places.values() if r.stream == stream}
            name = "eventName" if stream == "usage" else "description"
            changed = [doc[name] for app, doc in docs if owed.get((app, doc[name])) != doc]
            if changed:
                yield f"not as produced: {changed[:5]}"

    def _users_wrong(self, seen: Seen) -> str:
        wrong = [person for person in seen.users if person not in self._owed.words]
        for person, words in self._owed.words.items():
            held = seen.users.get(person)
            if not any(place in seen.dead for place, _ in words):
                wrong += [person] if held != words[-1][1].doc else []
            elif held is not None and held not in [word.doc for _, word in words]:
                wrong.append(person)
        return f"users wrong: {len(wrong)}, such as {wrong[0]}" if wrong else ""

    def _paid_twice(self, seen: Seen) -> str:
        twice = self.paid_twice(seen)
        return f"paid twice: {len(twice)} payments, such as {twice[:5]}" if twice else ""

    def _not_committed(self, seen: Seen) -> str:
        behind = self.behind(seen)
        return f"not committed to the end: {sorted(behind)}" if behind else ""


def _names(records: Iterable[Record]) -> str:
    names = sorted(record.id for record in records)
    return f"{len(names)} ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})"
