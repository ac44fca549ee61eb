"""Reading by time: where a round begins, and what a cursor says of it. Times in milliseconds since 1970."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.core.entries import FORMAT, entries, entry, is_moment, is_whole
from bridge.core.polling import Cursor, Json, RoundFailed

SECOND = 1000
"""In milliseconds. What is asked for begins and ends on whole seconds, which any API can read."""

HEAD = "head"
"""The entry of a cursor that says where it stands. Up to `position` everything was read. Of what happened
from `floor` on, all that went out is remembered, so a round begins no earlier."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where and how far to read; in milliseconds, and on whole seconds.

    The first round begins at `start` or, if that is None, `lookback` before now; each further one `overlap`
    before the position, as things may show up late. `max_window` is how much the API answers for at once.
    """

    start: int | None
    lookback: int
    overlap: int
    max_window: int


def position(cursor: Cursor) -> int | None:
    """Up to which time everything was read; None where nothing was, or a newer version says so."""
    head = cursor.get(HEAD, {})
    known = is_head(head) and is_whole(head.get("format")) and head["format"] <= FORMAT
    return int(head["position"]) if known else None


def is_head(entry: Json) -> bool:
    """Whether this is a head."""
    return is_moment(entry.get("position")) and is_moment(entry.get("floor"))


def head_at(position: int, floor: int) -> Json:
    """The entry `HEAD`."""
    return {"format": FORMAT, "position": position, "floor": floor}


def head_of(cursor: Cursor, bounds: Bounds, now: int, oldest: int = 0) -> Json | None:
    """The head that a round begins from; None: the first round is to begin in the future.

    Without a `start`, the first round begins no earlier than `oldest`.

    Raises:
        RoundFailed: the cursor stands in the future.
        BridgeError: a newer version wrote it.
    """
    head = entry(cursor, HEAD)
    if head is None:
        first = max(now - bounds.lookback, oldest) if bounds.start is None else bounds.start
        return head_at(first, first) if first <= now else None
    if head["position"] > now + bounds.overlap:
        told = f"the cursor stands at {instant(head['position'])}, which is in the future"
        raise RoundFailed("future", f"{told}: a clock is or was wrong; wait, or set the cursor")
    return head


def moved(cursor: Cursor, at: int) -> Mapping[str, Json | None]:
    """What to change in a cursor for the next round to begin at a time, and see nothing before it.

    Raises:
        BridgeError: a newer version wrote the cursor.
    """
    entries(cursor, "")  # it raises; nothing of a newer version may stay beside a head of ours
    at -= at % SECOND
    return {HEAD: head_at(at, at)}


def instant(time: int) -> str:
    """A time as in the API's description, without a fraction of its second."""
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
