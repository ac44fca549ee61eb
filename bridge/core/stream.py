"""What a stream declares of itself. The engine reads declarations and never a stream's name."""

from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """The API calls a sink can ask for; `productiv/contracts` says how each looks on the wire."""

    PUBLISH_USAGE_EVENTS = "publish_usage_events"


class LaneBy(StrEnum):
    """What a lane is: the unit of batching, and of order where order matters."""

    APP = "app"


@dataclass(frozen=True, slots=True)
class SinkStream:
    """One kind of record going from Kafka to the API.

    `record` is a TypedDict with pydantic constraints: the fields sent to the API, validated. The app is not
    among them: it comes from a field, header, key or constant, as configured.
    `identity` names the fields that make two records the same; identical ones in a batch are sent once.
    `resend_safe` says whether a batch whose answer was lost may be sent again.
    """

    name: str
    operation: Operation
    record: type
    identity: tuple[str, ...]
    resend_safe: bool
    lane: LaneBy = LaneBy.APP
