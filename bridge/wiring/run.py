"""The bridge itself: its sinks, its jobs, its operations port, from start to end."""

import asyncio
import gc
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from random import random

import structlog

from bridge import config
from bridge.core.backoff import Backoff
from bridge.core.batcher import BatchLimits
from bridge.core.engine import Engine, EngineLimits
from bridge.core.errors import BridgeError
from bridge.core.flood_guard import FloodLimits
from bridge.core.gate import GateBounds
from bridge.core.sender import SendLimits
from bridge.core.stream import SinkStream
from bridge.delivery import Direct, Journaled
from bridge.kafka.consumer import Consumer
from bridge.kafka.dead_letters import DeadLetters
from bridge.kafka.journal import KafkaJournal
from bridge.kafka.rotation import RotatingSettings
from bridge.kafka.topics import Topic
from bridge.productiv.client import Client
from bridge.reconcile.connect import app_id, connected
from bridge.reconcile.job import ReconcileJob
from bridge.reconcile.objection import Allowance
from bridge.sink import Sink, SinkTimes
from bridge.streams import SINKS
from bridge.telemetry.health import Pulse, health_app, served
from bridge.telemetry.metrics import Metrics
from bridge.wiring.apps import with_app_ids
from bridge.wiring.clients import api_client
from bridge.wiring.commands import in_doubt
from bridge.wiring.credentials import follow_credentials
from bridge.wiring.topics import create_topics, journal_format, sink_topics, topic_decoder

log = structlog.get_logger(__name__)
BEAT_SECONDS = 1.0
WATCH_SECONDS = 5.0
# A poll makes some 20,000 objects, and counting references frees them all. To look for cycles among them
# every 700 objects, as Python does by default, took a third of the CPU time.
OBJECTS_BETWEEN_COLLECTIONS = 50_000


@dataclass(frozen=True, slots=True)
class Running:
    """A bridge at work: its sinks by stream, and the address of its operations port, if it has one."""

    sinks: dict[str, Sink]
    operations_url: str | None


async def run(
    settings: config.Settings,
    stop: asyncio.Event,
    only: Collection[str] = (),
    started: Callable[[Running], None] = lambda running: None,
) -> None:
    """Runs the enabled sinks, or `only` these, until `stop` is set and what is in flight has been settled.

    `started` is called once everything is built.

    Raises:
        BridgeError: something is wrong with the configuration, a topic, a schema or the port.
        ExceptionGroup: a sink failed in a way that a restart must mend.
        TimeoutError: the end took longer than `shutdown_deadline_seconds`.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    settings.productiv.require_credentials()
    topics = sink_topics(settings, only)
    if settings.kafka.create_topics:
        await asyncio.to_thread(create_topics, settings, topics)
    settings = await with_app_ids(settings, register=True)
    metrics = Metrics(time.time)
    pulse = Pulse()
    async with api_client(settings, metrics.request) as client:
        kafka = RotatingSettings(settings.kafka.client_settings)
        sinks = {name: _sink(settings, kafka, topic, client, metrics) for name, topic in topics.items()}
        with _operations_port(settings, metrics, pulse, lambda: _not_ready(client, sinks)) as url:
            started(Running(sinks, url))
            log.info("started", streams=list(sinks), operations_port=url)
            jobs = _reconcile_jobs(settings, topics, sinks, client, metrics)
            await _run_until(stop, sinks, jobs, client, pulse, settings, kafka)
    log.info("stopped")


def _reconcile_jobs(
    settings: config.Settings,
    topics: dict[str, Topic],
    sinks: dict[str, Sink],
    client: Client,
    metrics: Metrics,
) -> list[ReconcileJob]:
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


def _sink(
    settings: config.Settings, kafka: RotatingSettings, topic: Topic, client: Client, metrics: Metrics
) -> Sink:
    stream, chosen = SINKS[topic.stream], settings.sinks[topic.stream]
    bounds = GateBounds(chosen.max_outstanding_records, chosen.max_outstanding_bytes)
    gate = stream.gating.make(chosen, bounds) if stream.gating is not None else None
    engine = Engine(stream, topic.topic, _limits(stream, chosen), random, gate)
    form = journal_format(settings, topic)
    sink = Sink(
        stream=stream,
        engine=engine,
        consumer=Consumer(kafka, topic.topic, form.group),
        decoder=topic_decoder(settings, topic),
        delivery=(
            Direct(client)
            if stream.resend_safe
            else Journaled(
                client, KafkaJournal(kafka, settings.kafka.journal_topic, form), engine.journal, time.time
            )
        ),
        dead_letters=DeadLetters(kafka, topic.dead_letters.topic),
        in_doubt=DeadLetters(kafka, topic.in_doubt.topic) if topic.in_doubt else None,
        times=SinkTimes(chosen.commit_interval_seconds, chosen.revoke_deadline_seconds),
        metrics=metrics,
    )
    metrics.watch(stream.name, sink)
    return sink


def _limits(stream: SinkStream, sink: config.Sink) -> EngineLimits:
    return EngineLimits(
        batch=BatchLimits(sink.batch.max_records, sink.batch.max_bytes, sink.batch.max_age_seconds),
        send=SendLimits(
            sink.in_flight,
            sink.in_flight_per_app,
            Backoff(sink.backoff.initial_seconds, sink.backoff.max_seconds),
            park=sink.in_doubt == "park" and not stream.resend_safe,
        ),
        flood=FloodLimits(
            sink.flood_guard.consecutive, sink.flood_guard.share, sink.flood_guard.window_records
        ),
        max_outstanding_records=sink.max_outstanding_records,
        max_outstanding_bytes=sink.max_outstanding_bytes,
    )


@contextmanager
def _operations_port(
    settings: config.Settings, metrics: Metrics, pulse: Pulse, not_ready: Callable[[], list[str]]
) -> Iterator[str | None]:
    http = settings.http
    app = health_app(metrics.registry, pulse, not_ready)
    with served(app, http.host, http.port) if http.enabled else nullcontext() as url:
        yield url


def _not_ready(client: Client, sinks: dict[str, Sink]) -> list[str]:
    reasons = [] if client.token_held else ["no access token"]
    return reasons + [f"{name}: {reason}" for name, sink in sinks.items() for reason in sink.not_ready()]


async def _run_until(
    stop: asyncio.Event,
    sinks: dict[str, Sink],
    jobs: list[ReconcileJob],
    client: Client,
    pulse: Pulse,
    settings: config.Settings,
    kafka: RotatingSettings,
) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(sink.run()) for sink in sinks.values()]
        aside = [tasks.create_task(_beat(client, sinks, pulse))]
        in_doubt_of = [s for s in sinks.values() if not s.stream.resend_safe]
        aside += [tasks.create_task(_watch(settings, kafka, sink)) for sink in in_doubt_of]
        # These may be cancelled at any moment: the next run finds what this one left.
        ending_first = [tasks.create_task(job.run()) for job in jobs]
        ending_first.append(tasks.create_task(follow_credentials(kafka)))
        await stop.wait()
        log.info("stopping", outstanding={name: s.engine.offsets.outstanding for name, s in sinks.items()})
        for sink in sinks.values():
            sink.stop()
        for task in ending_first:
            task.cancel()
        async with asyncio.timeout(settings.shutdown_deadline_seconds):
            await asyncio.wait(running)
        for task in aside:
            task.cancel()


async def _beat(client: Client, sinks: dict[str, Sink], pulse: Pulse) -> None:
    """Shows that the loop turns, and keeps a token at hand so that readiness says whether we could send."""
    said: dict[str, str] = {}
    while True:
        pulse.beat()
        for name, sink in sinks.items():
            failure = await client.ensure_token(sink.stream.operation)
            reason = "" if failure is None else getattr(failure, "reason", "throttled")
            if reason and reason != said.get(name):
                log.warning("no_access_token", stream=name, reason=reason)
            said[name] = reason
        await asyncio.sleep(BEAT_SECONDS)


async def _watch(settings: config.Settings, kafka: RotatingSettings, sink: Sink) -> None:
    """Keeps count of the records in doubt, for metrics; a Kafka that does not answer is asked again."""
    records = await asyncio.to_thread(in_doubt, settings, sink.stream.name, keep=False, kafka=kafka)
    while True:
        try:
            waiting = await asyncio.to_thread(records.read)
            sink.in_doubt = [one.since / 1000 for one in waiting]
        except BridgeError as error:
            log.warning("in_doubt_not_read", stream=sink.stream.name, error=str(error))
        await asyncio.sleep(WATCH_SECONDS)
