"""An append-only trail of events, read in windows of time: each goes out once, also when it shows up late.

A window goes out in one transaction with the cursor that has moved past it. If it holds too much for that, a
shorter one is tried; only a window of one second goes out in several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bridge.core import by_time
from bridge.core.by_time import HEAD, SECOND, Bounds, head_at, head_of, is_head
from bridge.core.entries import check
from bridge.core.polling import Cursor, Gap, Json, Round, Shortened, Write
from bridge.core.remembered import ENTRY, Remembered, is_entry
from bridge.core.trail_window import Event, Trail, TrailWindow

_MARGIN = 60 * SECOND  # by which a window begins later than the API allows, as it takes time to arrive there


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_age` is how long ago a window may begin for the API, in milliseconds, on whole seconds.

    `max_window_events` is how many new events are held in memory before a shorter window is tried;
    `max_remembered` how many are remembered.
    """

    max_age: int
    max_window_events: int
    max_remembered: int


def moved(cursor: Cursor, at: int) -> Mapping[str, Json | None]:
    """As `by_time.moved`; forgets what went out, so that all since then goes out once more."""
    return {**dict.fromkeys(cursor), **by_time.moved(cursor, at)}


def poll(trail: Trail, bounds: Bounds, limits: Limits, cursor: Cursor, now: int) -> Round:
    """Reads from where the cursor stands up to now, in milliseconds since 1970.

    Raises:
        RoundFailed: an answer is not as described, or the cursor stands in the future.
        BridgeError: a newer version or something else wrote the cursor.
    """
    check(cursor, {HEAD: _is_head, ENTRY: is_entry})
    now -= now % SECOND
    oldest = now - limits.max_age + _MARGIN
    head = head_of(cursor, bounds, now, oldest)
    if head is not None:
        yield from _Reading(trail, bounds, limits, cursor, head, now).round(oldest)


def _is_head(entry: Json) -> bool:
    return is_head(entry) and isinstance(entry.get("shortened", False), bool)


def _narrower(window: TrailWindow, seen: Sequence[Event]) -> int:
    """Milliseconds of a shorter window, from the same begin, that should hold no more than was seen of this.

    Where answers come in order of time, it ends among the events seen; else it is half as long.
    """
    times = [event.until for event in seen]
    cut = times[len(times) * 3 // 4]
    in_order = all(earlier <= later for earlier, later in pairwise(times))
    end = cut if in_order and cut < window.end else (window.begin + window.end) // 2
    return max((end - window.begin) // SECOND, 1) * SECOND


class _Reading:
    """One round. What it knows of the cursor is what the loop will have written down by its next step."""

    def __init__(
        self, trail: Trail, bounds: Bounds, limits: Limits, cursor: Cursor, head: Json, now: int
    ) -> None:
        self._trail = trail
        self._bounds = bounds
        self._limits = limits
        self._now = now
        self._position: int = head["position"]
        self._floor: int = head["floor"]
        # Whether the floor had to move up because there was too much to remember.
        self._shortened: bool = head.get("shortened", False)
        self._begun = HEAD in cursor
        self._remembered = Remembered(cursor)
        self._rows = 0

    def round(self, oldest: int) -> Round:
        """Begins no earlier than `oldest`."""
        yield from self._take_up(oldest)
        yield from self._read_on()

    def _take_up(self, oldest: int) -> Round:
        """Says what will be missed, and writes down where the first round begins, as it may not get far."""
        if aged := self._position < oldest:
            yield Gap(self._position, oldest)
            self._position = oldest
        self._raise_floor(oldest)
        if self._shortened and self._floor > self._position - self._bounds.overlap:
            yield Shortened(self._floor)
        if aged or not self._begun:
            yield Write((), {HEAD: self._head()})

    def _read_on(self) -> Round:
        bounds, most, reached = self._bounds, self._limits.max_window_events, self._position
        begin, width = max(reached - bounds.overlap, self._floor), bounds.max_window
        while begin < self._now:
            window = TrailWindow(self._trail, begin, min(begin + width, self._now), reached)
            part = yield from window.read(self._remembered, most)
            self._rows += part.rows
            if not part.last and window.end - begin > SECOND:
                width = _narrower(window, part.new)
                continue
            while not part.last:
                yield self._write(window, part.new, self._remember(part.new))
                part = yield from window.read(self._remembered, most)
                self._rows += part.rows
            yield self._write(window, part.new, self._pass(window, part.new))
            if len(part.new) < most / 4:  # so that twice as many leave room
                width = min(2 * width, bounds.max_window)
            begin = max(window.end, self._floor)

    def _pass(self, window: TrailWindow, new: Sequence[Event]) -> dict[str, Json | None]:
        """Moves past a window; of what went out, only that is remembered which may be read again."""
        self._position = max(self._position, window.end)
        self._raise_floor(self._position - self._bounds.overlap)
        forgotten = self._remembered.forget(self._floor)
        room = self._limits.max_remembered - sum(event.until >= self._floor for event in new)
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
        return {**head_at(self._position, self._floor), "shortened": self._shortened}
