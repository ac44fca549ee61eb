"""The one place that builds real clients from settings and sets them to work."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import random
from typing import TYPE_CHECKING

import structlog
from confluent_kafka.admin import AdminClient

from bridge import config
from bridge.applications import Registration, Registry, Wanted
from bridge.core.backoff import Backoff
from bridge.core.batcher import BatchLimits
from bridge.core.engine import Engine, EngineLimits
from bridge.core.errors import BridgeError, ConfigError
from bridge.core.flood_guard import FloodLimits
from bridge.core.gate import GateBounds
from bridge.core.sender import SendLimits
from bridge.core.stream import SinkStream
from bridge.delivery import Direct, Journaled
from bridge.kafka import serde
from bridge.kafka.consumer import Consumer
from bridge.kafka.create_topics import create_journal, create_memory, create_missing
from bridge.kafka.dead_letters import DeadLetters
from bridge.kafka.in_doubt import InDoubt, Resolver
from bridge.kafka.journal import KafkaJournal
from bridge.kafka.journal_entries import JournalFormat
from bridge.kafka.registered_apps import RegisteredApps
from bridge.kafka.topics import Topic, load_all, overridden
from bridge.kafka.turn import Turn
from bridge.productiv.auth import Credentials
from bridge.productiv.client import Client, OnRequest
from bridge.productiv.questions import Questions
from bridge.productiv.settings import ClientSettings
from bridge.reconcile.connect import app_id, connected
from bridge.reconcile.job import ReconcileJob
from bridge.reconcile.objection import Allowance
from bridge.reconcile.reconciler import Reconciler
from bridge.sink import Sink, SinkTimes
from bridge.streams import SINKS
from bridge.telemetry.health import Pulse, health_app, served
from bridge.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

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
        await asyncio.to_thread(_create_topics, settings, topics)
    settings = await with_app_ids(settings, register=True)
    metrics = Metrics(time.time)
    pulse = Pulse()
    async with _client(settings, metrics.request) as client:
        sinks = {name: _sink(settings, topic, client, metrics) for name, topic in topics.items()}
        with _operations_port(settings, metrics, pulse, lambda: _not_ready(client, sinks)) as url:
            started(Running(sinks, url))
            log.info("started", streams=list(sinks), operations_port=url)
            jobs = _reconcile_jobs(settings, topics, sinks, client, metrics)
            await _run_until(stop, sinks, jobs, client, pulse, settings)
    log.info("stopped")


def sink_topics(settings: config.Settings, only: Collection[str] = ()) -> dict[str, Topic]:
    """The topics of the sinks to run, as their files describe them and the configuration changes them.

    Raises:
        ConfigError: `only` names something that is no stream, or nothing is left to run.
        SchemaError: a topic file cannot be used.
    """
    if unknown := set(only) - set(SINKS):
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
            },
        )
        for name, sink in settings.sinks.items()
        if (name in only if only else sink.enabled)
    }
    for name, topic in topics.items():
        if SINKS[name].deletions is not None and topic.app.from_ == "key":
            raise ConfigError(
                f"sinks.{name}.app: from: key is not for this stream, as its keys name app and record, for "
                "records without a value to say what is gone; use field, header or constant"
            )
    if not topics:
        raise ConfigError("every sink is turned off, so there is nothing to run; set sinks.<stream>.enabled")
    return topics


def wire(settings: config.Settings, topic: Topic) -> serde.Wire:
    """The wire format of a topic, with the schema registry if one is configured.

    Raises:
        ConfigError: the format needs a registry, and none is configured.
        SchemaError: the topic's schema cannot be used.
    """
    return serde.wire(SINKS[topic.stream], topic, _registry(settings))


@asynccontextmanager
async def reconciler(settings: config.Settings, stream: str, app: str) -> AsyncIterator[Reconciler]:
    """A reconciler of one app (id) with clients of its own, for a command.

    Raises:
        BridgeError: something is wrong with the configuration, the topic or a schema, or Kafka is away.
    """
    settings.productiv.require_credentials()
    topic = sink_topics(settings, [stream])[stream]
    settings = await with_app_ids(settings)
    decoder = _decoder(settings, topic)
    async with (
        _client(settings, Metrics(time.time).request) as client,
        connected(settings, SINKS[stream], topic, decoder, client, [app]) as made,
    ):
        yield made


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
                connected, settings, sink.stream, topics[name], _decoder(settings, topics[name]), client, apps
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


def _registry(settings: config.Settings) -> "SchemaRegistryClient | None":
    registry = settings.schema_registry.client_settings()
    return serde.registry_client(registry) if registry else None


def _create_topics(settings: config.Settings, topics: dict[str, Topic]) -> None:
    admin = AdminClient({**settings.kafka.client_settings()})
    created = create_missing(admin, topics.values(), settings.kafka.replication_factor)
    if not all(SINKS[stream].resend_safe for stream in topics):
        created += create_journal(admin, settings.kafka.journal_topic, settings.kafka.replication_factor)
    for name in created:
        log.info("topic_created", topic=name)


def remembered_apps(settings: config.Settings) -> RegisteredApps:
    """The memory of the applications that the bridge registered."""
    return RegisteredApps(settings.kafka.client_settings(), settings.apps.topic)


async def with_app_ids(settings: config.Settings, register: bool = False) -> config.Settings:
    """The settings with the ids of registered applications among `apps.names`, whose own entries win.

    With `register`, configured applications that have no id are registered first.

    Raises:
        BridgeError: Kafka or the API does not do its part.
    """
    remembered = await _registry_of_apps(settings).names()
    if register and any(name not in remembered for name in settings.applications):
        wanted = {name: each.told() for name, each in settings.applications.items()}
        remembered |= {each.name: each.app_id for each in await register_apps(settings, wanted)}
    apps = settings.apps.model_copy(update={"names": {**remembered, **settings.apps.names}})
    return settings.model_copy(update={"apps": apps})


async def register_apps(settings: config.Settings, wanted: Wanted) -> list[Registration]:
    """Registers those of the applications that have no id yet.

    Raises:
        BridgeError: Kafka or the API does not do its part.
    """
    if settings.kafka.create_topics:
        await asyncio.to_thread(_create_memory, settings)
    # A client of its own, closed at once: the one that sends batches would keep asking for what its token
    # needs only here.
    async with questions(settings) as productiv:
        return await _registry_of_apps(settings).register(wanted, productiv)


@asynccontextmanager
async def questions(
    settings: config.Settings, on_request: OnRequest | None = None
) -> AsyncIterator[Questions]:
    """Questions to the API for as long as the block lasts.

    Raises:
        ConfigError: client id or secret are not to be had.
    """
    settings.productiv.require_credentials()
    async with _client(settings, on_request or (lambda operation, outcome, seconds: None)) as client:
        yield Questions(client)


def _registry_of_apps(settings: config.Settings) -> Registry:
    topic, group = settings.apps.topic, f"{settings.kafka.group_prefix}.applications"
    turn = Turn(settings.kafka.client_settings(), topic, group)
    return Registry(remembered_apps(settings), turn, lambda: datetime.now(UTC))


def _create_memory(settings: config.Settings) -> None:
    admin = AdminClient({**settings.kafka.client_settings()})
    for name in create_memory(admin, settings.apps.topic, settings.kafka.replication_factor):
        log.info("topic_created", topic=name)


def _client(settings: config.Settings, on_request: OnRequest) -> Client:
    productiv = settings.productiv
    return Client(
        client_settings(productiv),
        lambda: Credentials(productiv.current_client_id(), productiv.current_client_secret()),
        beside={
            stream.operation: stream.beside(settings.sinks[name])
            for name, stream in SINKS.items()
            if stream.beside is not None
        },
        on_request=on_request,
    )


def client_settings(productiv: config.Productiv) -> ClientSettings:
    """What clients of the API are told."""
    return ClientSettings(
        api_url=productiv.api_url,
        token_url=productiv.token_url,
        contract=productiv.contract,
        token_auth=productiv.token_auth,
        connect_timeout=productiv.timeouts.connect_seconds,
        write_timeout=productiv.timeouts.write_seconds,
        read_timeout=productiv.timeouts.read_seconds,
        pool_timeout=productiv.timeouts.pool_seconds,
        max_connections=productiv.max_connections,
        rate=productiv.requests_per_second,
        retry_after_cap=productiv.retry_after_cap_seconds,
    )


def _sink(settings: config.Settings, topic: Topic, client: Client, metrics: Metrics) -> Sink:
    stream, chosen = SINKS[topic.stream], settings.sinks[topic.stream]
    kafka = settings.kafka.client_settings()
    bounds = GateBounds(chosen.max_outstanding_records, chosen.max_outstanding_bytes)
    gate = stream.gating.make(chosen, bounds) if stream.gating is not None else None
    engine = Engine(stream, topic.topic, _limits(stream, chosen), random, gate)
    form = journal_format(settings, topic)
    sink = Sink(
        stream=stream,
        engine=engine,
        consumer=Consumer(kafka, topic.topic, form.group),
        decoder=_decoder(settings, topic),
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


def _decoder(settings: config.Settings, topic: Topic) -> serde.TopicDecoder:
    return serde.decoder(
        SINKS[topic.stream],
        topic,
        names=settings.apps.names,
        unknown=settings.apps.unknown,
        registry=_registry(settings),
        max_record_bytes=settings.sinks[topic.stream].max_record_bytes,
    )


def journal_format(settings: config.Settings, topic: Topic) -> JournalFormat:
    """How the journal speaks of a stream's topic, as the group that reads it."""
    return JournalFormat(f"{settings.kafka.group_prefix}.{topic.stream}", topic.topic)


def in_doubt(settings: config.Settings, stream: str, keep: bool) -> InDoubt:
    """The records in doubt of a stream; `keep` keeps their content.

    Raises:
        ConfigError: the stream has none, as it may be sent twice.
    """
    topic = sink_topics(settings, [stream])[stream]
    if SINKS[stream].resend_safe or topic.in_doubt is None:
        raise ConfigError(f"{stream} may be sent twice, so none of its records are ever in doubt")
    kafka, journal = settings.kafka.client_settings(), settings.kafka.journal_topic
    return InDoubt(kafka, topic.in_doubt.topic, journal, journal_format(settings, topic), keep)


def resolver(settings: config.Settings, stream: str) -> Resolver:
    """What decides about the records in doubt of a stream."""
    form = journal_format(settings, sink_topics(settings, [stream])[stream])
    return Resolver(settings.kafka.client_settings(), settings.kafka.journal_topic, form)


async def _watch(settings: config.Settings, sink: Sink) -> None:
    """Keeps count of the records in doubt, for metrics; a Kafka that does not answer is asked again."""
    records = await asyncio.to_thread(in_doubt, settings, sink.stream.name, keep=False)
    while True:
        try:
            waiting = await asyncio.to_thread(records.read)
            sink.in_doubt = [one.since / 1000 for one in waiting]
        except BridgeError as error:
            log.warning("in_doubt_not_read", stream=sink.stream.name, error=str(error))
        await asyncio.sleep(WATCH_SECONDS)


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
) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(sink.run()) for sink in sinks.values()]
        aside = [tasks.create_task(_beat(client, sinks, pulse))]
        aside += [tasks.create_task(_watch(settings, s)) for s in sinks.values() if not s.stream.resend_safe]
        # These may be cancelled at any moment: the next run finds what this one left.
        reconciling = [tasks.create_task(job.run()) for job in jobs]
        await stop.wait()
        log.info("stopping", outstanding={name: s.engine.offsets.outstanding for name, s in sinks.items()})
        for sink in sinks.values():
            sink.stop()
        for task in reconciling:
            task.cancel()
        async with asyncio.timeout(settings.shutdown_deadline_seconds):
            await asyncio.wait(running)
        for task in aside:
            task.cancel()


async def _beat(client: Client, sinks: dict[str, Sink], pulse: Pulse) -> None:
    """Shows that the loop turns, and keeps a token at hand so that readiness says whether we could send."""
    while True:
        pulse.beat()
        for sink in sinks.values():
            await client.ensure_token(sink.stream.operation)
        await asyncio.sleep(BEAT_SECONDS)
