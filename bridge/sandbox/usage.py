"""Publish usage events: at most 1000 a request, each identified by timestamp, email and eventName."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from bridge.sandbox.call import ACCEPTED, Answer, Batch, Call, Operation, Page
from bridge.sandbox.config import CONNECTOR_WRITE, SandboxConfig
from bridge.sandbox.content import Content
from bridge.sandbox.fields import EMAIL_LENGTH, INT64_MAX, INT64_MIN, email_problem, is_email_shaped
from bridge.sandbox.identities import Identities

START_SLOTS = 4096
"""8 MB of tables to begin with: the first 700,000 events come without growing."""


@dataclass(slots=True)
class _Figures:
    accepted: int = 0
    distinct: int = 0
    batches: int = 0
    largest_batch: int = 0


class Usage:
    """The usage endpoint and its books by app."""

    name = "usage"
    content_path = "events"

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self.reset()

    def operations(self) -> Sequence[Operation]:
        """The one call of this group."""
        path = "/services/push/v1/customer/apps/{app}/usage-events"
        batch = Batch("events", event_problem)
        return [Operation("publish_usage_events", "POST", path, CONNECTOR_WRITE, self._publish, batch)]

    def _publish(self, call: Call) -> Answer:
        events, app = call.records, call.app
        # The name comes last: it alone may hold a blank, so no two different events make the same text.
        new = self._identities.add_all(
            f"{app}\n{e['timestamp']}\n{e['email']}\n{e['eventName']}" for e in events
        )
        figures = self._apps.setdefault(app, _Figures())
        figures.accepted += len(events)
        figures.distinct += new
        figures.batches += 1
        figures.largest_batch = max(figures.largest_batch, len(events))
        self._content.add(app, call.body, len(events))
        return ACCEPTED

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """Events accepted, distinct ones, duplicates and batches, by app."""
        return {app: self._figures(app, figures) for app, figures in self._apps.items()}

    def _figures(self, app: str, figures: _Figures) -> dict[str, Any]:
        duplicates = figures.accepted - figures.distinct
        kept = self._content.page(app, 0, 0).kept
        exact = self._identities.exact
        return {**asdict(figures), "duplicates": duplicates, "kept": kept, "identity_exact": exact}

    def page(self, app: str, offset: int, limit: int) -> Page:
        """Events in the order they arrived, duplicates included."""
        return self._content.page(app, offset, limit)

    def reset(self) -> None:
        """Forgets all events."""
        config = self._config
        self._apps: dict[str, _Figures] = {}
        self._identities = Identities(config.max_identities, START_SLOTS)
        self._content = Content(config.keep_records_per_app, config.keep_bytes, _events_of)


def _events_of(body: bytes) -> list[Any]:
    events: list[Any] = orjson.loads(body)["events"]
    return events


def event_problem(event: Any) -> str | None:
    """What is wrong with one event, or None.

    A good event is recognised in one expression, because a batch of a thousand is checked in one go.
    """
    try:
        timestamp, email, name = event["timestamp"], event["email"], event["eventName"]
    except (TypeError, KeyError):
        return _missing(event)
    if (
        type(timestamp) is int
        and INT64_MIN <= timestamp <= INT64_MAX
        and type(email) is str
        and len(email) <= EMAIL_LENGTH
        and is_email_shaped(email)
        and type(name) is str
        and name
    ):
        return None
    if type(timestamp) is not int or not INT64_MIN <= timestamp <= INT64_MAX:
        return "timestamp must be a 64-bit integer, milliseconds since the epoch"
    return email_problem(event, "email") or "eventName must be a string and not empty"


def _missing(event: Any) -> str:
    if not isinstance(event, dict):
        return "an event must be an object"
    return f"{next(name for name in ('timestamp', 'email', 'eventName') if name not in event)} is required"
