"""Usage events: who did what in an app, and when."""

from typing import Annotated, TypedDict

from pydantic import Field

from bridge.core.stream import Operation, SinkStream
from bridge.streams.fields import Email, EpochMillis


class UsageEvent(TypedDict):
    """One usage event as the API takes it (API description, publishUsageEvents)."""

    timestamp: EpochMillis
    email: Email
    eventName: Annotated[str, Field(min_length=1, max_length=256)]


# The API identifies an event by these three fields, so sending one again changes nothing there.
USAGE = SinkStream(
    name="usage",
    operation=Operation.PUBLISH_USAGE_EVENTS,
    record=UsageEvent,
    identity=("timestamp", "email", "eventName"),
    resend_safe=True,
)
