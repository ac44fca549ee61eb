"""Runs the demonstration from start to balance sheet."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import httpx2 as httpx
from rich.console import Console
from rich.live import Live

from bridge import config, wiring
from bridge.demo.balance import Sheet, accepted, records_on
from bridge.demo.holdings import Holding
from bridge.demo.live import LiveTable
from bridge.demo.producer import SampleProducer
from bridge.demo.samples import ACTS, APPS
from bridge.demo.witness import Witness
from bridge.kafka.embedded import EmbeddedKafka
from bridge.sandbox import AuditPlan, PortfolioPlan, SandboxConfig, SandboxServer, WorkflowPlan
from bridge.streams import SINKS, SOURCES

RATE = 5_000.0  # records a second and stream: lively, and far from what a laptop can do
# The end of the duration is for what is under way: batches that wait for their age, the outage's backlog.
ENDING_SECONDS = 6.0
ENDING_SHARE = 0.4
SETTLE_SECONDS = 90.0  # how long that may take at most, also on a machine with much else to do
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Script:
    """How long to run in seconds (0: until `stop`), how many records a stream to produce, and the seed."""

    duration: float
    events: int | None
    seed: int

    @property
    def producing(self) -> float:
        """Seconds in which records are produced."""
        return self.duration - min(ENDING_SECONDS, self.duration * ENDING_SHARE)


@dataclass(frozen=True, slots=True)
class Books:
    """The books of each sink, and of each source."""

    sinks: dict[str, Sheet]
    sources: dict[str, Holding]

    @property
    def balanced(self) -> bool:
        """Whether all of them are."""
        books: list[Sheet | Holding] = [*self.sinks.values(), *self.sources.values()]
        return all(each.balanced for each in books)


async def show(script: Script, console: Console, stop: asyncio.Event) -> Books:
    """Plays the script until its end or `stop`, and returns the books."""
    kafka = EmbeddedKafka()
    try:
        with SandboxServer(_world(script)) as sandbox:
            return await _Show(script, console, stop, kafka, sandbox).play()
    finally:
        kafka.close()


def _world(script: Script) -> SandboxConfig:
    """What there is to be read: things happen, some are seen late, and they go on changing."""
    return SandboxConfig(
        seed=script.seed,
        audit_events=AuditPlan(
            per_second=20,
            history_events=2_000,
            total=2_000 + int(20 * script.producing) or None,
            late_seconds=2,
        ),
        workflows=WorkflowPlan(workflows=3, executions=20, per_second=2, seconds_per_state=3),
        portfolio=PortfolioPlan(apps=12, churn_seconds=3),
    )


class _Show:
    def __init__(
        self,
        script: Script,
        console: Console,
        stop: asyncio.Event,
        kafka: EmbeddedKafka,
        sandbox: SandboxServer,
    ) -> None:
        self._script = script
        self._console = console
        self._stop = stop
        self._kafka = kafka
        self._sandbox = sandbox
        self._settings = _settings(kafka, sandbox)
        self._topics = wiring.sink_topics(self._settings)
        self._producers = self._make_producers()
        kafka.create(self._topic_names())

    async def play(self) -> Books:
        ended = asyncio.Event()
        started: asyncio.Future[wiring.Running] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks, httpx.AsyncClient(base_url=self._sandbox.url) as api:
            tasks.create_task(wiring.run(self._settings, ended, started=started.set_result))
            running = await started
            self._introduce(running)
            with Live(LiveTable(running.sinks, self._producers, running.sources), console=self._console):
                outage = tasks.create_task(self._outage(api))
                await self._produce(running)
                outage.cancel()
                await api.delete("/_sandbox/faults")
                await self._settle(running)
                holdings = await Witness(self._settings, api).holdings(SETTLE_SECONDS)
            ended.set()
        return Books(await self._sheets(running), holdings)

    def _topic_names(self) -> Iterator[str]:
        yield from (self._settings.kafka.journal_topic, self._settings.kafka.cursors_topic)
        yield from (output.topic for output in wiring.output_topics(self._settings).values())
        for topic in self._topics.values():
            asides = (topic.dead_letters, topic.in_doubt, topic.parked)
            yield from (topic.topic, *(aside.topic for aside in asides if aside is not None))

    def _make_producers(self) -> dict[str, SampleProducer]:
        rate = RATE
        if self._script.events is not None and self._script.duration:
            # Fast enough to have them all out in the time for producing.
            rate = max(RATE, self._script.events / self._script.producing * 1.1)
        return {
            stream: SampleProducer(
                self._kafka.bootstrap,
                topic.topic,
                wiring.wire(self._settings, topic),
                ACTS[stream].samples(Random(self._script.seed), time.time),  # noqa: S311  (sample data)
                rate,
                self._script.events,
            )
            for stream, topic in self._topics.items()
        }

    def _introduce(self, running: wiring.Running) -> None:
        say = self._console.print
        say(f"Kafka           {self._kafka.bootstrap}  (embedded; any Kafka client may connect)")
        say(f"Productiv       {self._sandbox.url}/_sandbox/state  (sandbox)")
        say(f"Bridge          {running.operations_url}/  (status page; also /metrics, /healthz, /readyz)")
        for stream, topic in self._topics.items():
            say(f"{stream:15} {topic.topic}, dead letters on {topic.dead_letters.topic}")
        for output, written in wiring.output_topics(self._settings).items():
            say(f"{output:15} {written.topic}, from the sandbox")
        length = f"{self._script.duration:g} seconds" if self._script.duration else "until Ctrl-C"
        say(f"Runs {length}; one app is down for a while, one record in a thousand is bad.\n")

    async def _outage(self, api: httpx.AsyncClient) -> None:
        """One app answers 503 for a while in the middle; the others must not notice."""
        length = self._script.producing or 30.0
        await asyncio.sleep(length * 0.4)
        await api.post("/_sandbox/faults", json={"kind": "status", "status": 503, "app": APPS[0]})
        await asyncio.sleep(length * 0.3)
        await api.delete("/_sandbox/faults")

    async def _produce(self, running: wiring.Running) -> None:
        until = time.monotonic() + self._script.producing
        for producer in self._producers.values():
            producer.start()
        while not self._stop.is_set() and not (self._script.duration and time.monotonic() >= until):
            for stream, producer in self._producers.items():
                producer.settled(_settled(running, stream))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_SECONDS)
        for producer in self._producers.values():
            producer.finish()

    async def _settle(self, running: wiring.Running) -> None:
        """Waits until all that was produced is settled; what is not by then shows in the balance sheet."""
        until = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < until:
            if all(p.done and _settled(running, s) >= p.produced for s, p in self._producers.items()):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _sheets(self, running: wiring.Running) -> dict[str, Sheet]:
        async with httpx.AsyncClient(base_url=self._sandbox.url) as api:
            state = (await api.get("/_sandbox/state")).json()
        sheets = {}
        for stream, topic in self._topics.items():
            produced = self._producers[stream].produced
            books = running.sinks[stream].engine.books
            parked = running.parked[stream].engine.books.superseded if stream in running.parked else 0
            delivered, again = accepted(state, stream)
            sheets[stream] = Sheet(
                produced=produced,
                delivered=delivered,
                dead_lettered=await asyncio.to_thread(
                    records_on, self._kafka.bootstrap, topic.dead_letters.topic
                ),
                superseded=books.superseded + parked,
                outstanding=produced - _settled(running, stream),
                sent_twice=again,
            )
        return sheets


def _settings(kafka: EmbeddedKafka, sandbox: SandboxServer) -> config.Settings:
    credential = sandbox.config.credentials[0]
    return config.Settings.model_validate(
        {
            "productiv": {
                "api_url": sandbox.url,
                "token_url": f"{sandbox.url}/oauth2/token",
                "client_id": credential.client_id,
                "client_secret": credential.client_secret,
            },
            # The embedded Kafka has nobody who would create topics as described.
            "kafka": {"bootstrap_servers": kafka.bootstrap, "create_topics": False},
            "sinks": {stream: {"batch": {"max_age_seconds": 2}} for stream in SINKS},
            "sources": {stream: {"enabled": True, "poll_interval_seconds": 1} for stream in SOURCES},
            "http": {"host": "127.0.0.1", "port": 0},
        }
    )


def _settled(running: wiring.Running, stream: str) -> int:
    """What was parked is settled once the parking topic's sink says so."""
    books = running.sinks[stream].engine.books
    parked = running.parked[stream].engine.books.settled if stream in running.parked else 0
    return books.settled - books.parked + parked
