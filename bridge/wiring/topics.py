"""The topics of a run, and how their records are read and written."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bridge import config
from bridge.core.errors import BridgeError, ConfigError
from bridge.kafka import serde
from bridge.kafka.create_topics import create, of_cursors, of_journal, of_records
from bridge.kafka.journal_entries import JournalFormat
from bridge.kafka.outgoing import OutgoingRecords
from bridge.kafka.refusals import Refusals
from bridge.kafka.topics import OutputTopic, Topic, load_all, overridden
from bridge.streams import SINKS
from bridge.telemetry.logs import librdkafka_logger

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

log = structlog.get_logger(__name__)


def sink_topics(settings: config.Settings, only: Collection[str] | None = None) -> dict[str, Topic]:
    """The topics of the enabled sinks, or of `only` these, as files describe and configuration changes them.

    Raises:
        ConfigError: `only` names something that is no sink.
        SchemaError: a topic file cannot be used.
    """
    if unknown := set(only or ()) - set(SINKS):
        raise ConfigError(f"{sorted(unknown)[0]!r} is no stream; the streams are {', '.join(SINKS)}")
    described = load_all()
    topics = {
        name: overridden(
            described[name],
            {
                "topic": sink.topic,
                "format": sink.format,
                "app": sink.app and sink.app.model_dump(by_alias=True),
                "dead_letters": {"topic": sink.dead_letter_topic},
                "in_doubt": None if SINKS[name].resend_safe else {"topic": sink.in_doubt_topic},
                "parked": None if described[name].parked is None else {"topic": sink.parked_topic},
            },
        )
        for name, sink in settings.sinks.items()
        if (sink.enabled if only is None else name in only)
    }
    topics = {
        name: topic if _parks(name, settings.sinks[name]) else topic.model_copy(update={"parked": None})
        for name, topic in topics.items()
    }
    for name, topic in topics.items():
        if SINKS[name].deletions is not None and topic.app.from_ == "key":
            raise ConfigError(
                f"sinks.{name}.app: from: key is not for this stream, as its keys name app and record, for "
                "records without a value to say what is gone; use field, header or constant"
            )
    return topics


def _parks(stream: str, sink: config.Sink) -> bool:
    # What is in doubt and sent again goes out under the key that it had, and a parked record gets a new one.
    return sink.park_after_seconds is not None and (SINKS[stream].resend_safe or sink.in_doubt == "park")


def wire(settings: config.Settings, topic: Topic) -> serde.Wire:
    """The wire format of a topic, with the schema registry if one is configured.

    Raises:
        ConfigError: the format needs a registry, and none is configured.
        SchemaError: the topic's schema cannot be used.
    """
    return serde.wire(SINKS[topic.stream], topic, schema_registry(settings))


def topic_decoder(settings: config.Settings, topic: Topic) -> serde.TopicDecoder:
    """What reads the records of a topic."""
    return serde.decoder(
        SINKS[topic.stream],
        topic,
        names=settings.apps.names,
        unknown=settings.apps.unknown,
        registry=schema_registry(settings),
        max_record_bytes=settings.sinks[topic.stream].max_record_bytes,
    )


def outgoing(settings: config.Settings, topic: Topic) -> OutgoingRecords:
    """What makes messages for a topic of records.

    Raises:
        ConfigError, SchemaError: as for `wire`.
    """
    return OutgoingRecords(
        SINKS[topic.stream],
        topic,
        wire(settings, topic),
        settings.apps.names,
        settings.apps.unknown,
        settings.sinks[topic.stream].max_record_bytes,
    )


def schema_registry(settings: config.Settings) -> "SchemaRegistryClient | None":
    """The schema registry; None if none is configured."""
    registry = settings.schema_registry.client_settings()
    return serde.registry_client(registry) if registry else None


def journal_format(settings: config.Settings, topic: Topic) -> JournalFormat:
    """How the journal speaks of a stream's topic, as the group that reads it."""
    return JournalFormat(f"{settings.kafka.group_prefix}.{topic.stream}", topic.topic)


def create_topics(
    settings: config.Settings, topics: Mapping[str, Topic], outputs: Mapping[str, OutputTopic]
) -> None:
    """Creates the topics that do not exist yet; also the journal and the cursors if a stream needs them."""
    with admin_client(settings) as admin:
        for name in create(admin, wanted_topics(settings, topics, outputs)):
            log.info("topic_created", topic=name)


def wanted_topics(
    settings: config.Settings, topics: Mapping[str, Topic], outputs: Mapping[str, OutputTopic]
) -> list[NewTopic]:
    """All topics that a run with these needs at once."""
    copies = settings.kafka.replication_factor
    wanted = of_records([*topics.values(), *outputs.values()], copies)
    if any(topic.parked or not SINKS[stream].resend_safe for stream, topic in topics.items()):
        wanted.append(of_journal(settings.kafka.journal_topic, copies))
    if outputs:
        wanted.append(of_cursors(settings.kafka.cursors_topic, copies))
    return wanted


@contextmanager
def admin_client(settings: config.Settings) -> Iterator[AdminClient]:
    """A client to look at topics and to create them; errors say why Kafka refuses it, where it does."""
    refusals = Refusals()
    told: dict[str, Any] = {**settings.kafka.client_settings(), "error_cb": refusals}
    admin = AdminClient(told, logger=librdkafka_logger())
    try:
        yield admin
    except BridgeError as error:
        admin.poll(0)  # which tells `refusals`
        raise BridgeError(
            f"Kafka at {settings.kafka.bootstrap_servers}: {refusals.recent or error}"
        ) from error
