"""One window of a trail: asked for page by page, and what is new in it.

Nothing is taken for granted of the order of events in a window, nor that pages do not repeat each other's.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bridge.core.by_time import SECOND, instant
from bridge.core.entries import digest
from bridge.core.polling import Ask, Emission, Page, RoundFailed, Step
from bridge.core.record import Doc
from bridge.core.remembered import BYTES, Remembered
from bridge.core.shape import Object
from bridge.core.stream import Operation


@dataclass(frozen=True, slots=True)
class Trail:
    """What is asked, and the record and output that an event becomes.

    `id_field` holds an event's id, and `time_field`, which is a `MOMENT` of the form, when it happened.
    """

    operation: Operation
    output: str
    form: Object
    id_field: str
    time_field: str

    def digest(self, row: Doc) -> bytes:
        """The digest of the event's id or, if it has none, of the whole event."""
        named = row.get(self.id_field)
        try:
            return digest(row if named in (None, "") else named, BYTES)
        except TypeError:  # nested too deeply; a record is not
            return digest(self.form.read(row), BYTES)


class Event(NamedTuple):
    """A new event; it may show up again only in a window that holds `until`, in milliseconds since 1970."""

    digest: bytes
    until: int
    emission: Emission


class Part(NamedTuple):
    """New events and how many rows were looked at for them; `last` if the window holds no more."""

    new: list[Event]
    rows: int
    last: bool


class TrailWindow:
    """Reads the events from `begin` to `end` that are not remembered, in parts.

    `reached` is up to where everything had been read before; all times are in milliseconds since 1970.
    """

    def __init__(self, trail: Trail, begin: int, end: int, reached: int) -> None:
        self.begin = begin
        self.end = end
        self._trail = trail
        self._reached = reached
        self._asked = {"startTime": instant(begin), "endTime": instant(end)}
        self._tokens: set[str] = set()
        self._idle = 0

    def read(self, remembered: Remembered, most: int) -> Generator[Step, Sequence[Page | None], Part]:
        """Asks until there are `most` new events, or a page more, or the window is at its end.

        Raises:
            RoundFailed: an answer is not as described.
        """
        new: dict[bytes, Event] = {}
        rows, last = 0, False
        while len(new) < most and not last:
            (page,) = yield (Ask(self._trail.operation, parameters=self._asked),)
            if page is None:
                raise RoundFailed(
                    "not_as_described", "the API says that there is no such thing as this trail"
                )
            before = len(new)
            for row in page.rows:
                key = self._trail.digest(row)
                if key not in remembered and key not in new:
                    new[key] = self._event(key, row)
            rows += len(page.rows)
            self._watch(page, len(new) > before, len(remembered) + len(new))
            last = page.next_page is None
        return Part(list(new.values()), rows, last)

    def _event(self, key: bytes, row: Doc) -> Event:
        doc = self._trail.form.read(row)
        time = doc.get(self._trail.time_field)
        # A time that cannot be is in the record all the same; as that of a message Kafka would refuse it.
        at = time if time is not None and 0 <= time <= self.end else None
        # A time outside of this window does not tell which windows the event shows up in.
        until = at if at is not None and at >= self.begin else self.end
        late = (self._reached - at) / SECOND if at is not None and self.begin <= at < self._reached else None
        named = row.get(self._trail.id_field)
        name = named if isinstance(named, str) and named else key.hex()
        return Event(key, until, Emission(self._trail.output, name, doc, at, late))

    def _watch(self, page: Page, news: bool, known: int) -> None:
        """Sees to it that there is an end to pages, and has the next one asked for.

        Without anything new, a page holds what is known, and that cannot go on longer than there is of it.
        """
        if page.next_page is None:
            return
        if page.next_page in self._tokens:
            raise RoundFailed("not_as_described", "the API gave the same page token twice for a window")
        self._idle += 0 if news else max(1, len(page.rows))
        if self._idle > 2 * known + 1000:  # events may be on two pages, and some pages may be empty
            raise RoundFailed("not_as_described", "the API goes on and on with pages that hold nothing new")
        self._tokens.add(page.next_page)
        self._asked = {**self._asked, "page": page.next_page}
