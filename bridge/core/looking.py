"""Looks at items one by one: asks for their details, and writes what has changed."""

from collections.abc import Generator, Sequence, Set
from dataclasses import dataclass, replace

from bridge.core.by_time import SECOND, instant
from bridge.core.entries import chunks
from bridge.core.polling import Ask, Emission, Json, Page, Round, Step, Write
from bridge.core.sighting import START, Kind, Sighting, has_ended, ids_of
from bridge.core.stream import Operation

ASKS_AT_ONCE = 50  # in one step
RECORDS_AT_ONCE = 500  # in one write, or more for an item that alone has more: it goes out with its entry

Looked = Generator[Step, Sequence[Page | None], list[Sighting]]


@dataclass(frozen=True, slots=True)
class Questions:
    """What the API is asked: for the groups, for a group's items in a window of time, for an item's details.

    `group` and `item` are what it calls the ids in an address; `about` are the fields of a group that belong
    into the records of its items.
    """

    groups: Operation
    items: Operation
    details: Operation
    group: str
    item: str
    about: tuple[str, ...]

    def list(self, group: str, begin: int, end: int) -> Ask:
        """Asks for the items of a group from `begin` to `end`, in milliseconds since 1970."""
        return Ask(self.items, {self.group: group}, {"startTime": instant(begin), "endTime": instant(end)})

    def look(self, name: str) -> Ask:
        """Asks for the details of the item of this name."""
        group, item = ids_of(name)
        return Ask(self.details, {self.group: group, self.item: item})


class Looking:
    """The looks of one round. `prefix` begins the names of entries; `now_ms` is the time of the round.

    `running` are the names of the items that were looked at and run.
    """

    def __init__(self, kind: Kind, questions: Questions, ended: Set[str], prefix: str, now_ms: int) -> None:
        self.running: set[str] = set()
        self._kind = kind
        self._questions = questions
        self._ended = ended
        self._prefix = prefix
        self._now = now_ms

    def at(self, sightings: Sequence[Sighting], window: tuple[int, int] | None = None) -> Round:
        """Looks at them, a wave after the other; a crash repeats questions and no records."""
        for wave in chunks(sightings, ASKS_AT_ONCE):
            pages = yield [self._questions.look(sighting.name) for sighting in wave]
            rows = [page.rows[0] if page is not None else None for page in pages]
            seen = [replace(sighting, details=row) for sighting, row in zip(wave, rows, strict=True)]
            yield from self._write((yield from self._with_ends(seen)), window)

    def _with_ends(self, seen: Sequence[Sighting]) -> Looked:
        """Those that ended since the list was asked, with what it says of them now: it alone has times."""
        lacking = {each.name: each for each in seen if self._lacks_end(each)}
        if not lacking:
            return list(seen)
        asks = []
        for each in lacking.values():
            start = each.listed[START] - each.listed[START] % SECOND
            # A second more than it should take, as the list may round its times.
            asks.append(self._questions.list(each.listed[self._kind.group], start - SECOND, start + SECOND))
        pages = yield asks
        for each, page in zip(list(lacking.values()), pages, strict=True):
            for row in page.rows if page is not None else ():
                if row[self._kind.item] == each.listed[self._kind.item]:
                    listed = self._kind.listed(each.listed, row)
                    lacking[each.name] = replace(each, listed=listed, current=True)
        return [lacking.get(each.name, each) for each in seen]

    def _lacks_end(self, sighting: Sighting) -> bool:
        now_ended = has_ended(sighting.record(self._kind), self._ended)
        began = sighting.listed.get(START, 0)
        return now_ended and not has_ended(sighting.listed, self._ended) and SECOND <= began <= self._now

    def _write(self, seen: Sequence[Sighting], window: tuple[int, int] | None) -> Round:
        emissions: list[Emission] = []
        remember: dict[str, Json | None] = {}
        rows = 0
        for sighting in seen:
            out, known = sighting.outcome(self._kind, self._ended, self._now)
            if emissions and len(emissions) + len(out) > RECORDS_AT_ONCE:
                yield Write(emissions, remember, window, rows)
                emissions, remember, rows = [], {}, 0
            emissions += out
            rows += 1
            if known != sighting.entry:
                remember[self._prefix + sighting.name] = known
            if known["open"]:
                self.running.add(sighting.name)
        if remember:
            yield Write(emissions, remember, window, rows)
