"""The topics that streams need, compared with those that there are."""

from collections.abc import Collection, Mapping

from confluent_kafka.cimpl import NewTopic

from bridge import config
from bridge.core.errors import ConfigError
from bridge.kafka.create_topics import create, of_memory
from bridge.kafka.topic_plan import Planned, plan
from bridge.wiring.run import chosen
from bridge.wiring.sources import output_topics
from bridge.wiring.topics import admin_client, sink_topics, wanted_topics


def needed_topics(
    settings: config.Settings, only: Collection[str] = (), partitions: Mapping[str, int] | None = None
) -> list[NewTopic]:
    """All topics of the enabled streams, or of `only` these, also those made when they are first needed.

    `partitions` are numbers of partitions that differ from what topics/*.yaml say, by the names of the files.

    Raises:
        ConfigError: a name is none, or the configuration is not right.
        SchemaError: a topic file cannot be used.
    """
    sinks, sources = chosen(settings, only)
    topics, outputs = sink_topics(settings, sinks), output_topics(settings, sources)
    told = partitions or {}
    if unknown := sorted(told.keys() - {*topics, *outputs}):
        raise ConfigError(f"{unknown[0]!r} is no topic here; there are {', '.join([*topics, *outputs])}")
    topics = {name: each.model_copy(update=_partitions(told, name)) for name, each in topics.items()}
    outputs = {name: each.model_copy(update=_partitions(told, name)) for name, each in outputs.items()}
    wanted = wanted_topics(settings, topics, outputs)
    if topics:
        copies = settings.kafka.replication_factor
        wanted += [of_memory(name, copies) for name in (settings.kafka.decisions_topic, settings.apps.topic)]
    return wanted


def plan_topics(settings: config.Settings, wanted: Collection[NewTopic]) -> list[Planned]:
    """What is missing of these topics, and what differs.

    Raises:
        BridgeError: Kafka does not do its part.
    """
    with admin_client(settings) as admin:
        return plan(admin, wanted)


def create_planned(settings: config.Settings, wanted: Collection[NewTopic]) -> list[str]:
    """Creates what is missing of these topics; returns the names. What there is stays as it is.

    Raises:
        BridgeError: Kafka does not do its part.
    """
    with admin_client(settings) as admin:
        return create(admin, wanted)


def _partitions(told: Mapping[str, int], name: str) -> dict[str, int]:
    return {"partitions": told[name]} if name in told else {}
