"""The sources of a run: their topics, their cursors, and what polls."""

import time
from collections.abc import Collection, Mapping
from random import random
from typing import Any

from bridge import config
from bridge.core.backoff import Backoff
from bridge.core.errors import ConfigError
from bridge.kafka import serde
from bridge.kafka.consumer import Consumer
from bridge.kafka.cursor_topic import CursorTopic, partition_of
from bridge.kafka.cursors import CursorStore
from bridge.kafka.emitting import Emitter
from bridge.kafka.source_store import KafkaSourceStore
from bridge.kafka.topics import OutputTopic, load_outputs, overridden_output
from bridge.productiv.client import Client
from bridge.productiv.questions import Questions
from bridge.source import Source, SourceTimes
from bridge.streams import SOURCES
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.tracing import OFF, Tracing
from bridge.wiring.topics import schema_registry


def output_topics(settings: config.Settings, only: Collection[str] | None = None) -> dict[str, OutputTopic]:
    """The topics of all sources, or of `only` these, by output, as described and as configured.

    Raises:
        ConfigError: `only` names something that is no source, or a setting does not fit.
        SchemaError: a topic file cannot be used.
    """
    if unknown := set(only or ()) - set(SOURCES):
        raise ConfigError(f"{sorted(unknown)[0]!r} is no source; the sources are {', '.join(SOURCES)}")
    described = load_outputs()
    return {
        output: overridden_output(described[output], chosen.topics.get(output), chosen.format)
        for name, chosen in settings.sources.items()
        if only is None or name in only
        for output in SOURCES[name].outputs
    }


def output_wire(settings: config.Settings, topic: OutputTopic) -> serde.Wire:
    """How the records of an output topic are written and read.

    Raises:
        ConfigError: the format needs a registry, and none is configured.
        SchemaError: the topic's schema cannot be used.
    """
    return serde.output_wire(topic, schema_registry(settings))


def cursor_topic(settings: config.Settings) -> CursorTopic:
    """Where the cursors of the sources are kept, for commands."""
    kafka = settings.kafka
    return CursorTopic(kafka.client_settings(), kafka.cursors_topic, kafka.group_prefix)


async def build_sources(
    settings: config.Settings,
    kafka: Mapping[str, Any],
    names: Collection[str],
    outputs: Mapping[str, OutputTopic],
    client: Client,
    metrics: Metrics,
    tracing: Tracing = OFF,
) -> dict[str, Source]:
    """The sources with these names, not yet running; `kafka` are the settings of their clients.

    Raises:
        BridgeError: the cursor topic does not exist, Kafka does not answer, or a schema cannot be used.
    """
    if not names:
        return {}
    cursors = CursorStore(kafka, settings.kafka.cursors_topic, settings.kafka.group_prefix)
    partitions = await cursors.partitions()
    sources = {}
    for name in names:
        topics = {output: outputs[output] for output in SOURCES[name].outputs}
        wires = {output: output_wire(settings, topic) for output, topic in topics.items()}
        emitter = Emitter(name, settings.productiv.contract, topics, wires, lambda: [*tracing.headers()])
        store = KafkaSourceStore(name, cursors, emitter, time.time)
        # A group for each source, so that processes may run different ones.
        group = f"{settings.kafka.group_prefix}.{name}"
        membership = Consumer(kafka, settings.kafka.cursors_topic, group)
        partition = partition_of(name, partitions)
        sources[name] = _source(settings, name, partition, membership, store, client, metrics, tracing)
        metrics.watch_source(name, sources[name], membership.statistics)
    return sources


def _source(
    settings: config.Settings,
    name: str,
    partition: int,
    membership: Consumer,
    store: KafkaSourceStore,
    client: Client,
    metrics: Metrics,
    tracing: Tracing,
) -> Source:
    chosen = settings.sources[name]
    backoff = Backoff(chosen.backoff.initial_seconds, chosen.backoff.max_seconds)
    return Source(
        stream=SOURCES[name],
        options=chosen,
        partition=partition,
        membership=membership,
        questions=Questions(client),
        requests=chosen.concurrent_requests,
        store=store,
        times=SourceTimes(chosen.poll_interval_seconds, chosen.jitter, backoff),
        metrics=metrics,
        tracing=tracing,
        draw=random,
    )
