"""How one sink behaves: its topics, its batches, how much it holds and how long it waits."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bridge.config.fields import Rule, Section, Text, TopicName, refuse_broken


class AppOf(Section):
    """Where the app of a record is found."""

    from_: Literal["field", "header", "key", "constant"] = Field(
        alias="from",
        description="Where the app of a record is found: field = a field of its value, header = a Kafka "
        "header, key = the Kafka key, constant = the same for all.",
    )
    name: Text | None = Field(
        default=None,
        description="Name of the field or header. null = none; needed for field and header only.",
    )
    value: Text | None = Field(
        default=None, description="The app of all records. null = none; needed for constant only."
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        named, constant = self.from_ in ("field", "header"), self.from_ == "constant"
        refuse_broken(
            [
                Rule(
                    not named or self.name is not None,
                    ("from", "name"),
                    f"from: {self.from_} needs the {self.from_}'s name; set name",
                ),
                Rule(named or self.name is None, ("name",), f"from: {self.from_} has no name; remove it"),
                Rule(
                    not constant or self.value is not None,
                    ("from", "value"),
                    "from: constant needs the app; set value",
                ),
                Rule(
                    constant or self.value is None, ("value",), f"from: {self.from_} has no value; remove it"
                ),
            ]
        )
        return self


class Batch(Section):
    """When an open batch closes: at whichever limit it meets first."""

    max_records: int = Field(
        default=1000,
        ge=1,
        le=1000,
        description="Records per request at most. The API takes no more than 1000.",
    )
    max_bytes: int = Field(
        default=1_000_000,
        ge=1024,
        le=100_000_000,
        description="Bytes of one request's records at most, counted as they are on the topic. A larger "
        "record goes alone.",
    )
    max_age_seconds: float = Field(
        default=5,
        gt=0,
        le=3600,
        description="Longest time a batch stays open after its first record, in seconds.",
    )


class Backoff(Section):
    """How long to wait before the same batch is sent again, when the API does not say."""

    initial_seconds: float = Field(
        default=0.5,
        gt=0,
        le=3600,
        description="Wait before the first repetition, in seconds; it doubles with each, with jitter.",
    )
    max_seconds: float = Field(
        default=60, gt=0, le=3600, description="Longest wait between two repetitions, in seconds."
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse_broken(
            [
                Rule(
                    self.initial_seconds <= self.max_seconds,
                    ("initial_seconds", "max_seconds"),
                    f"initial_seconds ({self.initial_seconds:g}) is more than max_seconds "
                    f"({self.max_seconds:g}); "
                    "lower initial_seconds or raise max_seconds",
                )
            ]
        )
        return self


class FloodGuard(Section):
    """When so much is refused that the stream pauses instead of filling the dead-letter topic."""

    consecutive: int | None = Field(
        default=1000,
        ge=1,
        description="Refused records in a row at which the stream pauses. null = never for this reason.",
    )
    share: float | None = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of refused records among the last window_records, from 0 to 1, at which the "
        "stream pauses. null = never for this reason.",
    )
    window_records: int = Field(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="Records that share is measured over; it is not judged before so many were seen.",
    )


class Sink(Section):
    """One stream from Kafka to the API."""

    enabled: bool = Field(default=True, description="Whether this process runs the stream.")
    topic: TopicName | None = Field(
        default=None, description="Topic to read. null = as in topics/<stream>.yaml."
    )
    format: Literal["avro", "avro_registry", "json"] | None = Field(
        default=None,
        description="Wire format on the topic: avro = the project's own schema, avro_registry = Confluent "
        "framing with a schema registry, json. null = as in topics/<stream>.yaml.",
    )
    app: AppOf | None = Field(
        default=None,
        description="Where the app of a record is found, as {from: field, name: app}, {from: header, name: "
        "app}, {from: key} or {from: constant, value: slack}. null = as in topics/<stream>.yaml.",
    )
    dead_letter_topic: TopicName | None = Field(
        default=None,
        description="Topic for records that cannot be delivered. null = as in topics/<stream>.yaml.",
    )
    in_doubt: Literal["park", "resend"] = Field(
        default="park",
        description="What becomes of a batch when nobody knows whether the API took it, in a stream that "
        "must not be sent twice: park = it is put on the in-doubt topic, for `productiv-bridge in-doubt`; "
        "resend = it is sent again, and may count twice. Without meaning for the other streams.",
    )
    in_doubt_topic: TopicName | None = Field(
        default=None,
        description="Topic for records in doubt. null = as in topics/<stream>.yaml.",
    )
    max_record_bytes: int = Field(
        default=1_048_576,
        ge=1024,
        le=100_000_000,
        description="Longest value of a record, in bytes on the topic; a longer one is a dead letter.",
    )
    batch: Batch = Field(
        default_factory=Batch, description="When an open batch closes: at whichever limit it meets first."
    )
    in_flight: int = Field(
        default=16,
        ge=1,
        le=1000,
        description="Requests of this stream at once, at most. Fewer while the API throttles, fails or slows "
        "down.",
    )
    in_flight_per_app: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="Requests at once for one app, at most. Fewer while they fail or are throttled.",
    )
    max_outstanding_records: int = Field(
        default=100_000,
        ge=1,
        le=10_000_000,
        description="Records received and not yet settled at which reading pauses.",
    )
    max_outstanding_bytes: int = Field(
        default=67_108_864,
        ge=1024,
        le=64_000_000_000,
        description="Bytes received and not yet settled at which reading pauses, counted as they are on "
        "the topic.",
    )
    commit_interval_seconds: float = Field(
        default=1, gt=0, le=60, description="Time between two commits of offsets, in seconds."
    )
    revoke_deadline_seconds: float = Field(
        default=20,
        gt=0,
        le=3600,
        description="When partitions are taken away: how long what is in flight may take to finish, in "
        "seconds. At most half of max.poll.interval.ms (300000, unless set in kafka.settings).",
    )
    backoff: Backoff = Field(
        default_factory=Backoff,
        description="How long to wait before the same batch is sent again, when the API does not say.",
    )
    flood_guard: FloodGuard = Field(
        default_factory=FloodGuard,
        description="When so much is refused that the stream pauses instead of filling the dead-letter "
        "topic.",
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse_broken([*self._room(), self._topics_differ(), self._doubt_apart()])
        return self

    def _topics_differ(self) -> Rule:
        return Rule(
            self.topic is None or self.topic != self.dead_letter_topic,
            ("dead_letter_topic", "topic"),
            "dead_letter_topic is the topic that is read, so dead letters would come back for ever; name "
            "another",
        )

    def _doubt_apart(self) -> Rule:
        return Rule(
            self.in_doubt_topic is None or self.in_doubt_topic not in (self.topic, self.dead_letter_topic),
            ("in_doubt_topic", "topic", "dead_letter_topic"),
            "in_doubt_topic is used for something else, so records would be sent again or lost from sight; "
            "name another",
        )

    def _room(self) -> list[Rule]:
        """Each bound must leave room for what has to fit into it, or the stream would never move."""
        pairs = [
            ("in_flight_per_app", self.in_flight_per_app, "in_flight", self.in_flight),
            (
                "batch.max_records",
                self.batch.max_records,
                "max_outstanding_records",
                self.max_outstanding_records,
            ),
            ("batch.max_bytes", self.batch.max_bytes, "max_outstanding_bytes", self.max_outstanding_bytes),
            ("max_record_bytes", self.max_record_bytes, "max_outstanding_bytes", self.max_outstanding_bytes),
        ]
        return [
            Rule(
                small <= large,
                (small_key, large_key),
                f"{small_key} ({small}) is more than {large_key} ({large}); "
                f"lower {small_key} or raise {large_key}",
            )
            for small_key, small, large_key, large in pairs
        ]
