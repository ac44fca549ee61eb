"""Every setting in one tree: `Settings` and the sections at its top."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bridge.config.applications import Applications
from bridge.config.fields import AnyCase, KeysAmong, Rule, Section, Text, TopicName, refuse_broken
from bridge.config.kafka import Kafka, SchemaRegistry
from bridge.config.productiv import Productiv
from bridge.config.reconcile import Reconcile
from bridge.config.sections import SINK_SECTIONS, SOURCE_SECTIONS, Sinks, Sources
from bridge.config.sinks import Sink
from bridge.config.sources import Source
from bridge.config.tracing import Tracing
from bridge.streams import SOURCES


class Apps(Section):
    """Which Productiv app a record belongs to."""

    names: dict[str, Text] = Field(
        default_factory=dict,
        description="Name of an app on the topic and its Productiv app id, for example Slack: 8f14e45f.",
    )
    unknown: Literal["pass", "dead_letter"] = Field(
        default="pass",
        description="What becomes of a record whose app is neither in names nor registered by the bridge: "
        "pass = the name is taken for a Productiv app id, dead_letter = the record goes to the dead letters.",
    )
    topic: TopicName = Field(
        default="productiv.applications",
        description="Compacted topic in which the bridge remembers the ids of the applications that it "
        "registered.",
    )


class Http(Section):
    """The operations port: /metrics, /healthz, /readyz, and the status page at /."""

    enabled: bool = Field(
        default=True,
        description="Whether to open the port for /metrics, /healthz, /readyz and the status page.",
    )
    host: Text = Field(default="0.0.0.0", description="Address to listen on. 0.0.0.0 = all.")  # noqa: S104  (scraped from other hosts)
    port: int = Field(default=9400, ge=0, le=65535, description="Port to listen on. 0 = any that is free.")
    metrics_apps: int = Field(
        default=20,
        ge=0,
        le=1000,
        description="Apps that /metrics names at most, of those whose records wait or are parked; all "
        "further ones are counted as `other`. 0 = none is named.",
    )


class Log(Section):
    """What is logged, and in which shape."""

    format: Annotated[Literal["json", "console"], AnyCase] = Field(
        default="json", description="json = one JSON object a line, console = for human eyes."
    )
    level: Annotated[Literal["debug", "info", "warning", "error"], AnyCase] = Field(
        default="info", description="Least severity that is logged: debug, info, warning or error."
    )
    repeat_seconds: float = Field(
        default=10,
        ge=0,
        le=3600,
        description="Of an event that comes with each try, such as batch_not_accepted, one line in so many "
        "seconds is written for each stream; it says how many were held back. 0 = each is written.",
    )


def _streams(sections: Mapping[str, type[Section]]) -> tuple[KeysAmong, BeforeValidator, AfterValidator]:
    """The checks of a mapping from streams to their sections."""

    def known(given: Any) -> Any:
        refuse_broken(
            Rule(name in sections, (name,), f"{name!r} is no stream; the streams are {', '.join(sections)}")
            for name in (given if isinstance(given, dict) else ())
        )
        return given

    def complete(given: dict[str, Any]) -> dict[str, Any]:
        """A stream not mentioned has its defaults, so that a new one needs no new configuration."""
        return {name: given[name] if name in given else section() for name, section in sections.items()}

    return KeysAmong(sections), BeforeValidator(known), AfterValidator(complete)


class Settings(BaseSettings):
    """Every setting, checked. `bridge.config.load` builds it; direct construction reads no environment."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )

    productiv: Productiv = Field(default_factory=Productiv, description="The Productiv API.")
    kafka: Kafka = Field(default_factory=Kafka, description="The Kafka cluster that the topics live on.")
    schema_registry: SchemaRegistry = Field(
        default_factory=SchemaRegistry,
        description="The schema registry, for topics in the format avro_registry.",
    )
    apps: Apps = Field(default_factory=Apps, description="Which Productiv app a record belongs to.")
    applications: Applications = Field(
        default_factory=dict,
        description="Applications that `run` and `apps register` register at Productiv, once, by the name "
        "that stands on the topics. Each is a name with these keys, or with none.",
    )
    sinks: Annotated[Sinks, *_streams(SINK_SECTIONS)] = Field(
        default_factory=dict,
        description="The streams from Kafka to the API, by name. One that is not mentioned runs with its "
        "defaults; enabled: false turns it off.",
    )
    sources: Annotated[Sources, *_streams(SOURCE_SECTIONS)] = Field(
        default_factory=dict,
        description="The streams from the API to Kafka, by name. None runs unless enabled: true says so.",
    )
    reconcile: Reconcile = Field(
        default_factory=Reconcile,
        description="The scheduled job that makes the API hold what the compacted topics say: it deletes "
        "leavers, and adds and changes what is missing.",
    )
    http: Http = Field(
        default_factory=Http,
        description="The operations port: /metrics, /healthz, /readyz, and the status page at /.",
    )
    log: Log = Field(default_factory=Log, description="What is logged, and in which shape.")
    tracing: Tracing = Field(
        default_factory=Tracing, description="Traces by OpenTelemetry, exported by OTLP over HTTP."
    )
    shutdown_deadline_seconds: float = Field(
        default=25,
        gt=0,
        le=3600,
        description="On SIGTERM: how long what is in flight may take to finish, in seconds. Keep it below "
        "the grace period of the platform (Kubernetes: 30).",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only: the environment comes in through `load`, never from the process behind our back."""
        return (init_settings,)

    @model_validator(mode="after")
    def _rules(self) -> Self:
        sinks = (rule for name, sink in self.sinks.items() for rule in self._sink_fits(name, sink))
        sources = (rule for name, source in self.sources.items() for rule in self._source_fits(name, source))
        refuse_broken([*sinks, *sources, *self._apps_fit()])
        return self

    def _apps_fit(self) -> Iterator[Rule]:
        yield Rule(
            self.apps.unknown == "pass" or bool(self.apps.names) or bool(self.applications),
            ("apps.unknown", "apps.names"),
            "with unknown: dead_letter and no names, every record would be a dead letter; add apps.names or "
            "applications",
        )
        for name in self.applications:
            yield Rule(
                name not in self.apps.names,
                (f"applications.{name}", f"apps.names.{name}"),
                f"apps.names gives the id of {name!r} already, so there is nothing to register; remove one",
            )

    def _sink_fits(self, name: str, sink: Sink) -> Iterator[Rule]:
        half = self.kafka.max_poll_interval_seconds / 2
        yield Rule(
            sink.revoke_deadline_seconds <= half,
            (f"sinks.{name}.revoke_deadline_seconds", "kafka.settings.max.poll.interval.ms"),
            f"revoke_deadline_seconds ({sink.revoke_deadline_seconds:g}) is more than half of "
            f"max.poll.interval.ms ({half * 2:g} s), so Kafka would evict a consumer that still drains; "
            "lower the deadline or raise max.poll.interval.ms",
        )
        yield Rule(
            sink.in_flight <= self.productiv.max_connections,
            (f"sinks.{name}.in_flight", "productiv.max_connections"),
            f"in_flight ({sink.in_flight}) is more than productiv.max_connections "
            f"({self.productiv.max_connections}); "
            "lower in_flight or raise max_connections",
        )
        yield Rule(
            sink.format != "avro_registry" or self.schema_registry.url is not None,
            (f"sinks.{name}.format", "schema_registry.url"),
            "format avro_registry needs a schema registry; set schema_registry.url",
        )

    def _source_fits(self, name: str, source: Source) -> Iterator[Rule]:
        yield Rule(
            source.concurrent_requests <= self.productiv.max_connections,
            (f"sources.{name}.concurrent_requests", "productiv.max_connections"),
            f"concurrent_requests ({source.concurrent_requests}) is more than productiv.max_connections "
            f"({self.productiv.max_connections}); lower concurrent_requests or raise max_connections",
        )
        yield Rule(
            source.format != "avro_registry" or self.schema_registry.url is not None,
            (f"sources.{name}.format", "schema_registry.url"),
            "format avro_registry needs a schema registry; set schema_registry.url",
        )
        for output in source.topics:
            outputs = SOURCES[name].outputs
            yield Rule(
                output in outputs,
                (f"sources.{name}.topics.{output}",),
                f"{output!r} is no output of {name}; it has {', '.join(outputs)}",
            )
