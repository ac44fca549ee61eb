"""The audit trail behind the call: events in order of time and id, each with the time it can be seen from."""

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, NamedTuple

from bridge.sandbox.chance import chances, pick
from bridge.sandbox.page_tokens import Position
from bridge.sandbox.plans import AuditPlan
from bridge.sandbox.times import iso

PEOPLE = 500
APPS = 50
_KINDS = (
    ("app_status_changed", {"field": "AppStatus", "from": "In Review", "to": "Approved"}),
    ("contract_updated", {"field": "endDate", "from": "2026-06-30", "to": "2027-06-30"}),
    ("workflow_approved", {"decision": "approved"}),
    ("report_exported", {"format": "csv"}),
    ("user_logged_in", {"method": "sso"}),
)


class Entry(NamedTuple):
    """An event: `time` in milliseconds since the epoch, `visible_at` in seconds since the epoch."""

    time: int
    id: str
    visible_at: float
    event: dict[str, Any]


in_order = itemgetter(0, 1)
"""Sorts entries, and positions among them, by time and id."""


class PlannedTrail:
    """An event follows from the seed and its number, so nothing is kept, and halving finds any of them."""

    def __init__(self, plan: AuditPlan, seed: int, started_at: float) -> None:
        self._plan = plan
        self._seed = seed
        history = plan.history_events / plan.per_second
        self._begin = started_at - history if plan.begin is None else plan.begin

    def occurred(self, now: float) -> int:
        """How many events there are so far, those that cannot be seen yet included."""
        # A little too many, as times are whole milliseconds: an event may stand up to one before its moment.
        slots = max(math.floor((now - self._begin + 0.001) * self._plan.per_second) + 2, 0)
        slots = slots if self._plan.total is None else min(slots, self._plan.total)
        return bisect_right(range(slots), now * 1000, key=lambda number: self._position(number)[0])

    def entry(self, number: int) -> Entry:
        """The event with this number, from 0."""
        drawn = self._drawn(number)
        time, event_id = self._placed(number, drawn[0])
        late = drawn[1] < self._plan.late_share
        kind, details = pick(_KINDS, drawn[3])
        event = {
            "eventId": event_id,
            "eventType": kind,
            "timestamp": iso(time),
            "userEmail": f"person-{int(drawn[4] * PEOPLE)}@example.com",
            "details": {"applicationId": f"saas-{int(drawn[5] * APPS) + 1}", **details},
        }
        return Entry(time, event_id, time / 1000 + late * drawn[2] * self._plan.late_seconds, event)

    def after(self, position: Position, now: float) -> Iterator[Entry]:
        """The events behind a position."""
        count = self.occurred(now)
        first = bisect_right(range(count), position, key=self._position)
        return map(self.entry, range(first, count))

    def _drawn(self, number: int) -> list[float]:
        return chances(self._seed, "audit event", number)

    def _position(self, number: int) -> Position:
        return self._placed(number, self._drawn(number)[0])

    def _placed(self, number: int, within: float) -> Position:
        # Anywhere in a slot of its own: times are uneven, and never go back.
        return int((self._begin + (number + within) / self._plan.per_second) * 1000), f"event-{number:010d}"


class PostedTrail:
    """Events put there by hand."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry: Entry) -> bool:
        place = bisect_left(self._entries, in_order(entry), key=in_order)
        return [in_order(found) for found in self._entries[place : place + 1]] == [in_order(entry)]

    def add(self, entry: Entry) -> None:
        """Puts an event in its place."""
        insort(self._entries, entry, key=in_order)

    def entry(self, number: int) -> Entry:
        """The event at this place, from 0."""
        return self._entries[number]

    def after(self, position: Position) -> Iterator[Entry]:
        """The events behind a position."""
        first = bisect_right(self._entries, position, key=in_order)
        return map(self.entry, range(first, len(self._entries)))
