"""The sinks of a stream, from its topic and from its parking topic, and the jobs beside them."""

import time
from dataclasses import replace
from functools import partial
from random import random

from bridge import config
from bridge.core.backoff import Backoff
from bridge.core.batcher import BatchLimits
from bridge.core.engine import Engine, EngineLimits
from bridge.core.flood_guard import FloodLimits
from bridge.core.gate import GateBounds
from bridge.core.sender import SendLimits
from bridge.core.stream import SinkStream
from bridge.delivery import Delivery, Direct, Journaled
from bridge.kafka.consumer import Consumer
from bridge.kafka.dead_letters import DeadLetters
from bridge.kafka.journal import KafkaJournal
from bridge.kafka.journal_entries import JournalFormat
from bridge.kafka.parked_messages import ParkedDecoder
from bridge.kafka.parking import KafkaParking
from bridge.kafka.rotation import RotatingSettings
from bridge.kafka.topics import Parked, Topic
from bridge.productiv.client import Client
from bridge.reconcile.connect import app_id, connected
from bridge.reconcile.job import ReconcileJob
from bridge.reconcile.objection import Allowance
from bridge.sink import Sink, SinkTimes
from bridge.streams import SINKS
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.tracing import Tracing
from bridge.wiring.topics import journal_format, topic_decoder

# Whoever waits for an app's return waits for these: what is parked has been batched once.
PARKED_BATCH_SECONDS = 1.0
PARKED_COMMIT_SECONDS = 1.0


def stream_sink(
    settings: config.Settings,
    kafka: RotatingSettings,
    topic: Topic,
    client: Client,
    metrics: Metrics,
    tracing: Tracing,
) -> Sink:
    """The sink of a stream's topic; `kafka` are the settings of its clients."""
    stream, chosen = SINKS[topic.stream], settings.sinks[topic.stream]
    form = journal_format(settings, topic)
    bounds = GateBounds(chosen.max_outstanding_records, chosen.max_outstanding_bytes)
    gate = stream.gating.make(chosen, bounds) if stream.gating is not None else None
    limits = replace(_limits(stream, chosen), park_after=chosen.park_after_seconds if topic.parked else None)
    engine = Engine(stream, topic.topic, limits, random, gate)
    journal, parked = settings.kafka.journal_topic, topic.parked
    consumer = Consumer(kafka, topic.topic, form.group)
    sink = Sink(
        stream=stream,
        engine=engine,
        consumer=consumer,
        decoder=topic_decoder(settings, topic),
        delivery=_delivery(settings, kafka, stream, client, engine, form),
        dead_letters=DeadLetters(kafka, topic.dead_letters.topic),
        in_doubt=DeadLetters(kafka, topic.in_doubt.topic) if topic.in_doubt else None,
        times=SinkTimes(chosen.commit_interval_seconds, chosen.revoke_deadline_seconds),
        metrics=metrics,
        tracing=tracing,
        parking=KafkaParking(kafka, parked.topic, f"{form.group}.parked", journal, form) if parked else None,
    )
    metrics.watch(stream.name, sink, consumer.statistics)
    return sink


def parked_sink(
    settings: config.Settings,
    kafka: RotatingSettings,
    topic: Topic,
    parked: Parked,
    client: Client,
    metrics: Metrics,
    tracing: Tracing,
) -> Sink:
    """The sink of a stream's parking topic. It parks nothing: an app that is down there waits.

    In memory are at most two batches of each partition, one on its way and one filling.
    """
    chosen = settings.sinks[topic.stream]
    stream = replace(SINKS[topic.stream], name=f"{topic.stream}.parked")
    form = JournalFormat(f"{journal_format(settings, topic).group}.parked", parked.topic)
    limits = _limits(stream, chosen)
    batch = replace(limits.batch, max_age=min(limits.batch.max_age, PARKED_BATCH_SECONDS))
    limits = replace(
        limits,
        batch=batch,
        max_outstanding_records=2 * parked.partitions * batch.max_records,
        max_outstanding_bytes=2 * parked.partitions * batch.max_bytes,
        partitions_apart=True,
    )
    engine = Engine(stream, parked.topic, limits, random)
    commit = min(chosen.commit_interval_seconds, PARKED_COMMIT_SECONDS)
    consumer = Consumer(kafka, parked.topic, form.group)
    sink = Sink(
        stream=stream,
        engine=engine,
        consumer=consumer,
        decoder=ParkedDecoder(topic_decoder(settings, topic)),
        delivery=_delivery(settings, kafka, stream, client, engine, form),
        dead_letters=DeadLetters(kafka, topic.dead_letters.topic),
        in_doubt=DeadLetters(kafka, topic.in_doubt.topic) if topic.in_doubt else None,
        times=SinkTimes(commit, chosen.revoke_deadline_seconds),
        metrics=metrics,
        tracing=tracing,
    )
    metrics.watch(stream.name, sink, consumer.statistics)
    return sink


def reconcile_jobs(
    settings: config.Settings,
    topics: dict[str, Topic],
    sinks: dict[str, Sink],
    client: Client,
    metrics: Metrics,
) -> list[ReconcileJob]:
    """The scheduled jobs of the sinks whose streams have deletions; none unless they are turned on."""
    chosen = settings.reconcile
    if not chosen.enabled:
        return []
    names = chosen.chosen()
    apps = None if names is None else [app_id(settings, name) for name in names]
    return [
        ReconcileJob(
            name,
            partial(
                connected,
                settings,
                sink.stream,
                topics[name],
                topic_decoder(settings, topics[name]),
                client,
                apps,
            ),
            # One partition is always somebody's and never two members', so it makes the choice for us.
            partial(sink.engine.offsets.owns, 0),
            apps,
            Allowance(chosen.max_deletions_share),
            chosen.interval_hours * 3600,
            metrics,
            wall=time.time,
        )
        for name, sink in sinks.items()
        if sink.stream.deletions is not None
    ]


def _delivery(
    settings: config.Settings,
    kafka: RotatingSettings,
    stream: SinkStream,
    client: Client,
    engine: Engine,
    form: JournalFormat,
) -> Delivery:
    if stream.resend_safe:
        return Direct(client)
    journal = KafkaJournal(kafka, settings.kafka.journal_topic, form)
    return Journaled(client, journal, engine.journal, time.time)


def _limits(stream: SinkStream, sink: config.Sink) -> EngineLimits:
    return EngineLimits(
        batch=BatchLimits(sink.batch.max_records, sink.batch.max_bytes, sink.batch.max_age_seconds),
        send=SendLimits(
            sink.in_flight,
            sink.in_flight_per_app,
            Backoff(sink.backoff.initial_seconds, sink.backoff.max_seconds),
            keep_doubtful=sink.in_doubt == "park" and not stream.resend_safe,
        ),
        flood=FloodLimits(
            sink.flood_guard.consecutive, sink.flood_guard.share, sink.flood_guard.window_records
        ),
        max_outstanding_records=sink.max_outstanding_records,
        max_outstanding_bytes=sink.max_outstanding_bytes,
    )
