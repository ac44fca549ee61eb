"""Instants: ISO 8601 with a time zone in the calls that read, milliseconds since the epoch inside."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.datastructures import QueryParams

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def iso(milliseconds: int) -> str:
    """As in 2026-01-15T10:30:00.000Z."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> int:
    """The first whole millisecond that is not before the instant.

    Raises:
        ValueError: it is not ISO 8601, or has no time zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("there is no time zone")
    return -((_EPOCH - moment) // _MILLISECOND)


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to before `end`; None where the query leaves a side open."""

    start: int | None
    end: int | None


def window(query: QueryParams) -> Window:
    """The window that startTime and endTime of a query name.

    Raises:
        ValueError: one of them is not an instant, or they are the wrong way round.
    """
    found = Window(_side(query, "startTime"), _side(query, "endTime"))
    if found.start is not None and found.end is not None and found.start > found.end:
        raise ValueError("startTime is after endTime")
    return found


def _side(query: QueryParams, name: str) -> int | None:
    text = query.get(name)
    try:
        return None if text is None else instant(text)
    except ValueError:
        raise ValueError(f"{name} must be a time in ISO 8601 with a time zone") from None
