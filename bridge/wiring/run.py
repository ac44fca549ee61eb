"""The bridge itself: its sinks, its jobs, its operations port, from start to end."""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from bridge import config
from bridge.core.errors import BridgeError, ConfigError
from bridge.kafka.lifeline import ClientLost
from bridge.kafka.rotation import RotatingSettings
from bridge.productiv.client import Client
from bridge.reconcile.job import ReconcileJob
from bridge.sink import Sink
from bridge.source import Source
from bridge.streams import SINKS, SOURCES
from bridge.telemetry.health import Pulse
from bridge.telemetry.metrics import Metrics
from bridge.wiring.apps import with_app_ids
from bridge.wiring.clients import api_client
from bridge.wiring.commands import in_doubt
from bridge.wiring.credentials import follow_credentials
from bridge.wiring.memory import give_back_memory, look_for_cycles_seldom
from bridge.wiring.operations import beat, keep_token, operations_port, status_watch, telling
from bridge.wiring.resuming import resume_when_told
from bridge.wiring.sinks import parked_sink, reconcile_jobs, stream_sink
from bridge.wiring.sources import build_sources, output_topics
from bridge.wiring.topics import create_topics, sink_topics
from bridge.wiring.tracing import tracing

log = structlog.get_logger(__name__)
WATCH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A bridge at work: its sinks and sources by stream, and the address of its operations port, if any.

    `parked` are the sinks that deliver from the parking topics, by the stream whose they are.
    """

    sinks: dict[str, Sink]
    parked: dict[str, Sink]
    sources: dict[str, Source]
    operations_url: str | None

    @property
    def all_sinks(self) -> dict[str, Sink]:
        """The sinks with those of the parking topics, by the names that they have in logs and metrics."""
        return {sink.stream.name: sink for sink in (*self.sinks.values(), *self.parked.values())}

    @property
    def streams(self) -> dict[str, Sink | Source]:
        """All that runs, by the names that they have in logs and metrics."""
        return {**self.all_sinks, **self.sources}


async def run(
    settings: config.Settings,
    stop: asyncio.Event,
    only: Collection[str] = (),
    started: Callable[[Running], None] = lambda running: None,
) -> None:
    """Runs the enabled streams, or `only` these, until `stop` is set and what is in flight has been settled.

    `started` is called once everything is built.

    Raises:
        BridgeError: something is wrong with the configuration, a topic, a schema or the port.
        ExceptionGroup: a stream failed in a way that a restart must mend.
        TimeoutError: the end took longer than `shutdown_deadline_seconds`.
        ClientLost: (in a group) the process must start anew; what was in flight has been settled.
    """
    settings.productiv.require_credentials()
    sink_names, source_names = chosen(settings, only)
    topics, outputs = sink_topics(settings, sink_names), output_topics(settings, source_names)
    if settings.kafka.create_topics:
        await asyncio.to_thread(create_topics, settings, topics, outputs)
    if topics:
        settings = await with_app_ids(settings, register=True)
    metrics = Metrics(time.time, settings.http.metrics_apps)
    watch = status_watch(settings)
    pulse = Pulse()
    async with (
        tracing(settings.tracing) as traces,
        api_client(settings, telling(metrics.request, watch.request, traces.request)) as client,
    ):
        metrics.watch_api(client)
        kafka = RotatingSettings(settings.kafka.client_settings)
        sinks = {
            name: stream_sink(settings, kafka, topic, client, metrics, traces)
            for name, topic in topics.items()
        }
        parked = {
            name: parked_sink(settings, kafka, topic, topic.parked, client, metrics, traces)
            for name, topic in topics.items()
            if topic.parked is not None
        }
        sources = await build_sources(settings, kafka, source_names, outputs, client, metrics, traces)
        running = Running(sinks, parked, sources, None)
        for name, sink in running.all_sinks.items():
            watch.sink(name, sink)
        for name, source in sources.items():
            watch.source(name, source)
        not_ready = partial(_not_ready, client, running.streams)
        look_for_cycles_seldom()
        with operations_port(settings.http, metrics, watch, pulse, not_ready) as url:
            started(replace(running, operations_url=url))
            log.info("started", streams=[*sinks, *sources], operations_port=url)
            jobs = reconcile_jobs(settings, topics, sinks, client, metrics)
            beside = [beat(pulse, watch), keep_token(client, running.streams, watch), give_back_memory()]
            await _run_until(stop, running, jobs, beside, settings, kafka)
    log.info("stopped")


async def poll_once(settings: config.Settings, stop: asyncio.Event, only: Collection[str] = ()) -> bool:
    """One round of each enabled source, or of `only` these; returns whether all went well.

    A source that another process polls at this moment is left to it. `stop` ends it early.

    Raises:
        BridgeError: something is wrong with the configuration, a topic or a schema.
        ExceptionGroup: a source failed in a way that a restart must mend, or (TimeoutError) the end after
            `stop` took longer than `shutdown_deadline_seconds`.
    """
    settings.productiv.require_credentials()
    sinks, names = chosen(settings, only)
    if only and sinks:
        raise ConfigError(f"{sinks[0]} is a sink, which has no rounds; name sources only")
    if not names:
        raise ConfigError("no source is turned on, so there is nothing to poll; set sources.<stream>.enabled")
    outputs = output_topics(settings, names)
    if settings.kafka.create_topics:
        await asyncio.to_thread(create_topics, settings, {}, outputs)
    metrics = Metrics(time.time)
    async with (
        tracing(settings.tracing) as traces,
        api_client(settings, telling(metrics.request, traces.request)) as client,
    ):
        sources = await build_sources(
            settings, settings.kafka.client_settings(), names, outputs, client, metrics, traces
        )
        look_for_cycles_seldom()
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(source.run(once=True)) for source in sources.values()]
            ending = tasks.create_task(_stop_when(stop, sources.values(), settings.shutdown_deadline_seconds))
            await asyncio.wait(running)
            ending.cancel()
    return all(task.result() for task in running)


async def _stop_when(stop: asyncio.Event, sources: Collection[Source], deadline: float) -> None:
    """Stops the sources when told; raises TimeoutError if they have not ended `deadline` seconds later."""
    await stop.wait()
    for source in sources:
        source.stop()
    await asyncio.sleep(deadline)
    raise TimeoutError


def chosen(settings: config.Settings, only: Collection[str]) -> tuple[list[str], list[str]]:
    """The sinks and the sources to run: the enabled ones, or `only` these.

    Raises:
        ConfigError: `only` names something that is no stream, or there is nothing to run.
    """
    if unknown := sorted(set(only) - {*SINKS, *SOURCES}):
        raise ConfigError(f"{unknown[0]!r} is no stream; the streams are {', '.join([*SINKS, *SOURCES])}")
    sinks = [name for name in SINKS if (name in only if only else settings.sinks[name].enabled)]
    sources = [name for name in SOURCES if (name in only if only else settings.sources[name].enabled)]
    if not sinks and not sources:
        raise ConfigError(
            "every stream is turned off, so there is nothing to run; set sinks.<stream>.enabled or "
            "sources.<stream>.enabled"
        )
    return sinks, sources


def _not_ready(client: Client, streams: Mapping[str, Sink | Source]) -> list[str]:
    reasons = [] if client.token_held else ["no access token"]
    return reasons + [f"{name}: {each}" for name, stream in streams.items() for each in stream.not_ready()]


async def _run_until(
    stop: asyncio.Event,
    bridge: Running,
    jobs: list[ReconcileJob],
    beside: list[Coroutine[None, None, None]],
    settings: config.Settings,
    kafka: RotatingSettings,
) -> None:
    ending = asyncio.Event()

    async def guarded(work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except* ClientLost:
            ending.set()  # the others settle what they have in flight

    async with asyncio.TaskGroup() as tasks:

        def begun(works: Iterable[Coroutine[Any, Any, object]]) -> list[asyncio.Task[None]]:
            return [tasks.create_task(guarded(work)) for work in works]

        running = begun(stream.run() for stream in bridge.streams.values())
        in_doubt_of = [s for s in bridge.sinks.values() if not s.stream.resend_safe]
        aside = begun([*beside, *(_watch(settings, kafka, sink) for sink in in_doubt_of)])
        # These may be cancelled at any moment: the next run finds what this one left.
        ending_first = begun(job.run() for job in jobs)
        ending_first += begun([follow_credentials(kafka)])
        ending_first += begun(resume_when_told(settings, kafka, sink) for sink in bridge.all_sinks.values())
        told = tasks.create_task(stop.wait())
        told.add_done_callback(lambda _: ending.set())
        await ending.wait()
        told.cancel()
        outstanding = {name: sink.engine.offsets.outstanding for name, sink in bridge.all_sinks.items()}
        log.info("stopping", outstanding=outstanding)
        for stream in bridge.streams.values():
            stream.stop()
        for task in ending_first:
            task.cancel()
        try:
            async with asyncio.timeout(settings.shutdown_deadline_seconds):
                await asyncio.wait(running)
        except TimeoutError:
            if stop.is_set():
                raise
        if not stop.is_set():
            raise ClientLost
        for task in aside:
            task.cancel()


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
