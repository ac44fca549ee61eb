"""Audit events: who did what at Productiv, and when. Append-only: each event goes out once."""

from pydantic import Field

from bridge.core import by_time, trail
from bridge.core.polling import Cursor, Round, SourceStream
from bridge.core.shape import JSON, MOMENT, TEXT, Object
from bridge.core.stream import Operation
from bridge.core.trail_window import Trail
from bridge.streams.by_time import DAY, ByTimeOptions

# getAuditEvents requires no field. What cannot be read by its form is kept under `extra`, as all else.
_EVENT = Object({"eventId": TEXT, "eventType": TEXT, "timestamp": MOMENT, "userEmail": TEXT, "details": JSON})
_TRAIL = Trail(Operation.GET_AUDIT_EVENTS, "audit_events", _EVENT, id_field="eventId", time_field="timestamp")


class AuditEventsOptions(ByTimeOptions):
    """Settings of this stream alone."""

    max_age_days: int = Field(
        default=180,
        ge=1,
        le=3650,
        description="How far back a range may begin for the API, in days. What was not read by then is lost, "
        "and reported as a gap.",
    )
    # 16 bytes each of them, as text, in one entry of the cursor: 0.4 MB of the 1 MB that Kafka takes.
    max_window_events: int = Field(
        default=2000,
        ge=500,
        le=20_000,
        description="New events held in memory before a shorter range is tried, and so about how many go "
        "out in one transaction.",
    )
    max_remembered: int = Field(
        default=200_000,
        ge=50_000,
        le=10_000_000,
        description="Ids remembered of what went out within the overlap, each some 90 bytes of memory. Where "
        "more come, the overlap is shortened, and that is reported.",
    )


def _poll(options: AuditEventsOptions, cursor: Cursor, now: int) -> Round:
    limits = trail.Limits(options.max_age_days * DAY, options.max_window_events, options.max_remembered)
    return trail.poll(_TRAIL, options.bounds(), limits, cursor, now)


AUDIT_EVENTS = SourceStream(
    name="audit_events",
    operation=Operation.GET_AUDIT_EVENTS,
    outputs={"audit_events": _EVENT},
    options=AuditEventsOptions,
    poll=_poll,
    interval_seconds=60.0,
    position=by_time.position,
    moved=trail.moved,
)
