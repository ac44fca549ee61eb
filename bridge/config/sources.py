"""How one source behaves: its topics, how often it asks, and how it waits after a failure."""

from typing import Literal

from pydantic import Field

from bridge.config.fields import Section, TopicName
from bridge.config.sinks import Backoff


class Source(Section):
    """One stream from the API to Kafka."""

    enabled: bool = Field(default=False, description="Whether this process may run the stream.")
    topics: dict[str, TopicName] = Field(
        default_factory=dict,
        description="Topics to write, by the name of their file in topics/, for example audit_events: "
        "security.audit. One that is not mentioned is as in its file.",
    )
    format: Literal["avro", "avro_registry", "json"] | None = Field(
        default=None,
        description="Wire format on the topics: avro = the project's own schema, avro_registry = Confluent "
        "framing with a schema registry, json. null = as in topics/*.yaml.",
    )
    poll_interval_seconds: float = Field(
        default=300, gt=0, le=86400, description="Time from the begin of one round to the next, in seconds."
    )
    jitter: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of poll_interval_seconds by which a round may begin later, drawn anew each time, "
        "so that several sources do not ask at the same moment.",
    )
    concurrent_requests: int = Field(
        default=8, ge=1, le=100, description="Requests of this source at once, at most."
    )
    backoff: Backoff = Field(
        default_factory=lambda: Backoff(initial_seconds=1, max_seconds=300),
        description="How long to wait before the next round, after one that failed.",
    )
