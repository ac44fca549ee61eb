"""An append-only trail of events, read in windows of time: each goes out once, also when it shows up late.

A window goes out in one transaction with the cursor that has moved past it. If it holds too much for that, a
shorter one is tried; only a window of one second goes out in several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.core.errors import BridgeError
from bridge.core.polling import Cursor, Gap, Json, Round, RoundFailed, Shortened, Write
from bridge.core.remembered import FORMAT, Remembered
from bridge.core.trail_window import SECOND, Event, Trail, TrailWindow, iso

HEAD = "head"
"""The entry of a cursor that says where it stands. Up to `position` everything was read. Of what happened
from `floor` on, all that went out is remembered, so a round begins no earlier; `shortened` says that it had
to move up because there was too much to remember."""

_MARGIN = 60 * SECOND  # by which a window begins later than the API allows, as it takes time to arrive there


@dataclass(frozen=True, slots=True)
class TrailBounds:
    """Where and how far to read; times in milliseconds, and on whole seconds.

    The first round begins at `start` or, if that is None, `lookback` before now. Each further one begins
    `overlap` before the position, as events may show up late. `max_window` and `max_age` are what the API
    allows: how long a window may be, and how long ago it may begin. `max_window_events` is how many new
    events are held in memory before a shorter window is tried; `max_remembered` how many are remembered.
    """

    start: int | None
    lookback: int
    overlap: int
    max_window: int
    max_age: int
    max_window_events: int
    max_remembered: int


def position(cursor: Cursor) -> int | None:
    """Up to which time everything was read, in milliseconds since 1970."""
    head = cursor.get(HEAD)
    return int(head["position"]) if head is not None else None


def moved(at: int) -> Mapping[str, Json]:
    """The cursor of a round that begins at a time, in milliseconds since 1970, and sees nothing before it."""
    at -= at % SECOND
    return {HEAD: _head(at, at)}


def poll(trail: Trail, bounds: TrailBounds, cursor: Cursor, now: int) -> Round:
    """Reads from where the cursor stands up to now, in milliseconds since 1970.

    Raises:
        RoundFailed: an answer is not as described, or the cursor stands in the future.
        BridgeError: a newer version wrote the cursor.
    """
    if any(entry["format"] > FORMAT for entry in cursor.values()):
        raise BridgeError("a newer version wrote this cursor: run that one again, or reset the cursor")
    yield from _Reading(trail, bounds, cursor, now - now % SECOND).round()


class _Reading:
    """One round. What it knows of the cursor is what the loop will have written down by its next step."""

    def __init__(self, trail: Trail, bounds: TrailBounds, cursor: Cursor, now: int) -> None:
        self._trail = trail
        self._bounds = bounds
        self._now = now
        self._oldest = now - bounds.max_age + _MARGIN
        first = max(now - bounds.lookback, self._oldest) if bounds.start is None else bounds.start
        head = cursor.get(HEAD, _head(first, first))
        self._position: int = head["position"]
        self._floor: int = head["floor"]
        self._shortened: bool = head["shortened"]
        self._begun = HEAD in cursor
        self._remembered = Remembered(cursor)
        self._rows = 0

    def round(self) -> Round:
        if not self._begun and self._position > self._now:
            return  # the first round is to begin in the future
        if self._position > self._now + self._bounds.overlap:
            told = f"the cursor stands at {iso(self._position)}, which is in the future"
            raise RoundFailed("future", f"{told}: a clock is or was wrong; wait, or set the cursor")
        yield from self._take_up()
        yield from self._read_on()

    def _take_up(self) -> Round:
        """Says what will be missed, and writes down where the first round begins, as it may not get far."""
        if aged := self._position < self._oldest:
            yield Gap(self._position, self._oldest)
            self._position = self._oldest
        self._raise_floor(self._oldest)
        if self._shortened and self._floor > self._position - self._bounds.overlap:
            yield Shortened(self._floor)
        if aged or not self._begun:
            yield Write((), {HEAD: self._head()})

    def _read_on(self) -> Round:
        bounds, reached = self._bounds, self._position
        begin, width = max(reached - bounds.overlap, self._floor), bounds.max_window
        while begin < self._now:
            window = TrailWindow(self._trail, begin, min(begin + width, self._now), reached)
            part = yield from window.read(self._remembered, bounds.max_window_events)
            self._rows += part.rows
            if not part.last and window.end - begin > SECOND:
                width = max((window.end - begin) // (2 * SECOND), 1) * SECOND
                continue
            while not part.last:
                yield self._write(window, part.new, self._remember(part.new))
                part = yield from window.read(self._remembered, bounds.max_window_events)
                self._rows += part.rows
            yield self._write(window, part.new, self._pass(window, part.new))
            if len(part.new) < bounds.max_window_events / 4:  # so that twice as many leave room
                width = min(2 * width, bounds.max_window)
            begin = max(window.end, self._floor)

    def _pass(self, window: TrailWindow, new: Sequence[Event]) -> dict[str, Json | None]:
        """Moves past a window; of what went out, only that is remembered which may be read again."""
        self._position = max(self._position, window.end)
        self._raise_floor(self._position - self._bounds.overlap)
        forgotten = self._remembered.forget(self._floor)
        room = self._bounds.max_remembered - sum(event.until >= self._floor for event in new)
        if (newest := self._remembered.excess(room, self._position)) is not None:
            # The next whole second, and so never behind the position: what is unread stays unread.
            self._floor, self._shortened = newest - newest % SECOND + SECOND, True
            forgotten |= self._remembered.forget(self._floor)
        kept = [event for event in new if event.until >= self._floor]
        return {**forgotten, **self._remember(kept), HEAD: self._head()}

    def _raise_floor(self, to: int) -> None:
        if to > self._floor:
            self._floor, self._shortened = to, False

    def _remember(self, events: Sequence[Event]) -> dict[str, Json]:
        if not events:
            return {}
        return self._remembered.add(max(event.until for event in events), [event.digest for event in events])

    def _write(self, window: TrailWindow, new: Sequence[Event], remember: Mapping[str, Json | None]) -> Write:
        rows, self._rows = self._rows, 0
        in_order = sorted(new, key=lambda event: event.until)
        return Write([event.emission for event in in_order], remember, (window.begin, window.end), rows)

    def _head(self) -> Json:
        return _head(self._position, self._floor, self._shortened)


def _head(position: int, floor: int, shortened: bool = False) -> Json:
    return {"format": FORMAT, "position": position, "floor": floor, "shortened": shortened}
