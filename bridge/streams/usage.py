"""Usage events: who did what in an app, and when."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on only

from bridge.core.stream import Operation, SinkStream
from bridge.streams.fields import Email, EpochMillis


class UsageEvent(TypedDict):
    """One usage event as the API takes it (API description, publishUsageEvents)."""

    timestamp: EpochMillis
    email: Email
    eventName: Annotated[
        str, Field(min_length=1, max_length=256, description="what the person did, in 1 to 256 characters")
    ]


# The API identifies an event by these three fields, so sending one again changes nothing there.
USAGE = SinkStream(
    name="usage",
    operation=Operation.PUBLISH_USAGE_EVENTS,
    record=UsageEvent,
    identity=("timestamp", "email", "eventName"),
    resend_safe=True,
    event_time="timestamp",
)
