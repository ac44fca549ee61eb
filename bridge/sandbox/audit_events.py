"""Get audit events: at most 500 a page, ordered by time and id, in windows of at most 30 days."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import Any

from bridge.sandbox.audit_trail import Entry, PlannedTrail, PostedTrail, in_order
from bridge.sandbox.call import Answer, Call, Listing, Operation, Page, json_answer, json_object, refusal
from bridge.sandbox.config import REPORT_READ, SandboxConfig
from bridge.sandbox.page_tokens import PageTokens, Position
from bridge.sandbox.plans import AuditPlan
from bridge.sandbox.times import Window, instant, iso, window

PAGE = 500
DAY = 86_400_000
MAX_RANGE = 30 * DAY
"""Milliseconds from startTime to endTime; source of both limits: the vendor's page on audit events."""
MAX_AGE = 180 * DAY
"""Milliseconds that startTime may be back."""
NO_TRAIL = AuditPlan(per_second=1, total=0)


class AuditEvents:
    """The trail that was planned and the events put there by hand. `clock` gives seconds since the epoch.

    A page begins behind the last event of the page before. What comes to be seen behind that while somebody
    pages is missed by that pass, as in real life.
    """

    name = "audit_events"
    content_path = "audit-events"

    def __init__(self, config: SandboxConfig, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._resets = 0
        self.reset()

    def operations(self) -> Sequence[Operation]:
        """The one call of this group."""
        path = "/services/export/v1/customer/audit-events"
        listing = Listing("events", self._own_token)
        return [Operation("get_audit_events", "GET", path, REPORT_READ, self._get, listing=listing)]

    def switches(self) -> Sequence[Operation]:
        """Putting events on the trail by hand."""
        return [Operation("add_audit_events", "POST", "/_sandbox/audit-events", None, self._add)]

    def _get(self, call: Call) -> Answer:
        try:
            asked = window(call.query)
            start, end = self._range(asked)
            token = call.query.get("nextPageToken")
            after = (start, "") if token is None else self._tokens.position(token, asked)
        except ValueError as error:
            return refusal(400, str(error))
        entries = list(islice(self._visible(after, end), PAGE + 1))
        answer: dict[str, Any] = {"events": [entry.event for entry in entries[:PAGE]]}
        if len(entries) > PAGE:
            answer["nextPageToken"] = self._tokens.token(in_order(entries[PAGE - 1]), asked)
        return json_answer(200, answer)

    def _range(self, asked: Window) -> tuple[int, int]:
        """Milliseconds, as in the query; else up to now, and the longest range before the end.

        Raises:
            ValueError: the range is too long, or begins too long ago.
        """
        now = int(self._clock() * 1000)
        end = now if asked.end is None else asked.end
        start = end - MAX_RANGE if asked.start is None else asked.start
        if end - start > MAX_RANGE:
            raise ValueError("from startTime to endTime may be 30 days at most")
        if start < now - MAX_AGE:
            raise ValueError("startTime may be 180 days back at most")
        return start, end

    def _visible(self, after: Position, end: int) -> Iterator[Entry]:
        now = self._clock()
        for entry in merge(self._planned.after(after, now), self._posted.after(after), key=in_order):
            if entry.time >= end:
                return
            if entry.visible_at <= now:
                yield entry

    def _own_token(self, call: Call) -> str:
        asked = window(call.query)
        return call.query.get("nextPageToken") or self._tokens.token((self._range(asked)[0], ""), asked)

    def _add(self, call: Call) -> Answer:
        records = json_object(call.body).get("events")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise ValueError("events must be an array of objects")
        if len(self._posted) + len(records) > self._config.max_held:
            raise ValueError(f"the sandbox holds at most {self._config.max_held} audit events put by hand")
        entries = [self._entry(len(self._posted) + at, record) for at, record in enumerate(records)]
        positions = {in_order(entry) for entry in entries}
        if len(positions) < len(entries) or any(entry in self._posted for entry in entries):
            raise ValueError("there is an event with the same timestamp and eventId")
        for entry in entries:
            self._posted.add(entry)
        return json_answer(200, {"eventIds": [entry.id for entry in entries]})

    def _entry(self, number: int, record: dict[str, Any]) -> Entry:
        event = {
            "eventId": f"posted-{number:010d}",
            "eventType": "user_logged_in",
            "userEmail": "person-0@example.com",
            "details": {},
            **record,
        }
        seconds = event.pop("visible_in_seconds", 0)
        if not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_AGE / 1000:
            raise ValueError("visible_in_seconds must be a number, from 0 to 180 days")
        if not isinstance(event["eventId"], str):
            raise ValueError("eventId must be a string")
        try:
            time = instant(event["timestamp"])
        except (KeyError, TypeError, ValueError):
            raise ValueError("timestamp must be a time in ISO 8601 with a time zone") from None
        return Entry(time, event["eventId"], self._clock() + seconds, event)

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """Events that occurred so far by plan, seen or not, and events put by hand."""
        figures = {"planned": self._planned.occurred(self._clock()), "posted": len(self._posted)}
        return {"": figures} if any(figures.values()) else {}

    def page(self, app: str, offset: int, limit: int) -> Page:
        """All that occurred, each with `visibleAt`, past or to come: planned ones, then those by hand."""
        planned = self._planned.occurred(self._clock())
        total = planned + len(self._posted)
        numbers = range(total)[offset : offset + limit]
        entries = [
            self._planned.entry(number) if number < planned else self._posted.entry(number - planned)
            for number in numbers
        ]
        items = [{**entry.event, "visibleAt": iso(round(entry.visible_at * 1000))} for entry in entries]
        return Page(items, total, total)

    def reset(self) -> None:
        """Begins the plan again, forgets events put by hand, and makes all page tokens worthless."""
        config, self._resets = self._config, self._resets + 1
        self._tokens = PageTokens(f"audit events {config.seed} {self._resets}")
        self._planned = PlannedTrail(config.audit_events or NO_TRAIL, config.seed, self._clock())
        self._posted = PostedTrail()
