"""What a stream declares of itself. The engine reads declarations and never a stream's name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bridge.core.gate import Gate, GateBounds


class Operation(StrEnum):
    """The API calls there are; `productiv/contracts` says how each looks on the wire."""

    PUBLISH_USAGE_EVENTS = "publish_usage_events"
    PUBLISH_USERS = "publish_users"
    DELETE_USERS = "delete_users"
    PUBLISH_SPEND = "publish_spend"
    PUBLISH_ORG_CHART = "publish_org_chart"

    # What follows is asked by commands, one call at a time, and never by a sink.
    GET_USERS = "get_users"
    REGISTER_APP = "register_app"
    GET_APP_SUMMARIES = "get_app_summaries"
    GET_UPLOAD_URLS = "get_upload_urls"

    # What follows is asked by sources.
    GET_APP_DETAILS = "get_app_details"
    LIST_WORKFLOWS = "list_workflows"
    LIST_EXECUTIONS = "list_executions"
    GET_EXECUTION = "get_execution"
    GET_AUDIT_EVENTS = "get_audit_events"


class LaneBy(StrEnum):
    """Which records are batched together, and wait together after a failure."""

    APP = "app"
    APP_AND_PARTITION = "app_and_partition"


@dataclass(frozen=True, slots=True)
class Deletions:
    """What a null value means in a stream whose topic is compacted: its record is gone.

    `operation` is the API call that deletes; `record` a TypedDict of what it sends, one field, which is found
    in the Kafka key behind the app: `{app}/{field}`; `listing` asks the API for the records it holds of an
    app.
    """

    operation: Operation
    record: type
    listing: Operation


@dataclass(frozen=True, slots=True)
class Gating:
    """A gate before the batches of a stream: what it gives out, and how it is made.

    `sent` is a TypedDict of what the gate lets out of a record; `make` takes the stream's options and bounds.
    """

    sent: type
    make: Callable[[Any, GateBounds], Gate]


@dataclass(frozen=True, slots=True)
class SinkStream:
    """One kind of record going from Kafka to the API.

    `record` is a TypedDict with pydantic constraints: the fields sent to the API, validated. The app is not
    among them: it comes from a field, header, key or constant, as configured.
    `identity` names the fields that make two records the same; identical ones in a batch are sent once.
    Empty: each record is one of its own, however alike.
    `resend_safe` says whether a batch whose answer was lost may be sent again. If not, each batch goes
    through the delivery journal, and its lanes are by partition, as the journal is kept and fenced by it.
    `exact` streams carry decimal numbers that must not pass through a binary float; they cost more to read.
    `ordered` streams send the records of an app in the order of the topic, one request at a time, and of
    identical records in a batch the last; of others the first stands for all.
    `deletions` says what a null value means; None refuses it.
    `gating` says what stands between reading and batches; None: records are batched as they come.
    `event_time` names the field that says when the thing happened, in milliseconds since 1970, if one does.
    `options` is a pydantic model of settings that this stream alone has, each described; they become part of
    its section of the configuration. `beside` makes of them what goes out beside the records of each batch.
    """

    name: str
    operation: Operation
    record: type
    identity: tuple[str, ...]
    resend_safe: bool
    ordered: bool = False
    deletions: Deletions | None = None
    gating: Gating | None = None
    options: type | None = None
    beside: Callable[[Any], Mapping[str, Any]] | None = None
    lane: LaneBy = LaneBy.APP
    exact: bool = False
    event_time: str | None = None

    def __post_init__(self) -> None:
        if not self.resend_safe and self.lane is not LaneBy.APP_AND_PARTITION:
            raise ValueError(f"stream {self.name} may not be sent twice, so it needs lanes by partition")

    @property
    def section(self) -> str:
        """Its name in the configuration and in commands; that of a parking topic's sink has more to it."""
        return self.name.partition(".")[0]
