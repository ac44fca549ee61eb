"""What surrounds a sink, in memory: a topic, a decoder, an API, a dead-letter topic. Small, and alive."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.core.backoff import Backoff
from bridge.core.engine import Engine, EngineLimits
from bridge.core.outcome import Accepted, Outcome
from bridge.core.ports import Owner
from bridge.core.record import Decoded, Doc, Refused
from bridge.core.stream import Operation
from bridge.delivery import Delivery, Direct
from bridge.kafka.serde import SchemaRegistryUnavailable
from bridge.sink import Sink, SinkTimes
from bridge.telemetry.metrics import Metrics
from tests.core.records import STREAM, limits

PATIENCE = 20.0
NAP = 0.005  # the topic returns from a poll at least so often, in seconds
NEVER = 10**6  # seconds, or records
NOISE = b"\xff noise"


def thing(number: int, app: str = "a") -> dict[str, Any]:
    return {"app": app, "id": number}


def at_once(**changes: Any) -> EngineLimits:
    """Each record is a batch, so it goes as soon as it came; retries come after 5 ms."""
    made = limits(max_records=1, **changes)
    return replace(made, send=replace(made.send, backoff=Backoff(0.01, 0.01)))


class Changes:
    """Wakes those who wait for something to become true."""

    def __init__(self) -> None:
        self._happened = asyncio.Event()

    def happened(self) -> None:
        self._happened.set()
        self._happened = asyncio.Event()

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await self._happened.wait()


@dataclass(frozen=True)
class Message:
    """What the topic holds; times are seconds 1, 2, 3 … of 1970."""

    place: tuple[int, int]
    data: bytes

    def partition(self) -> int:
        return self.place[0]

    def offset(self) -> int:
        return self.place[1]

    def value(self) -> bytes:
        return self.data

    def timestamp(self) -> tuple[int, int]:
        return (1, 1000 * (1 + self.place[1]))


class Topic:
    """A topic, and the one member of a group that reads it. Rebalances come during a poll, as in Kafka."""

    def __init__(self, changes: Changes, partitions: Sequence[int]) -> None:
        self.log: dict[int, list[Message]] = {partition: [] for partition in partitions}
        self.committed: dict[int, int] = {}
        self.commits: list[dict[int, int]] = []
        self.limits: list[int] = []  # what each poll asked for
        self.failure: Exception | None = None
        self.leaving = False
        self.may_leave = asyncio.Event()
        self.may_leave.set()
        self.closed = False
        self._changes = changes
        self._news = asyncio.Event()  # a record or a rebalance came while a poll waits
        self._position: dict[int, int] = {}
        self._arriving: list[int] = list(partitions)
        self._leaving: list[int] = []
        self._lost: list[int] = []

    def produce(self, *values: dict[str, Any] | bytes, partition: int = 0) -> None:
        log = self.log[partition]
        for value in values:
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            log.append(Message((partition, len(log)), data))
        self._news.set()

    def revoke(self, *partitions: int) -> None:
        self._leaving += partitions
        self._news.set()

    def lose(self, *partitions: int) -> None:
        self._lost += partitions
        self._news.set()

    def assign(self, *partitions: int) -> None:
        self._arriving += partitions
        self._news.set()

    def give_again(self, partition: int, offset: int) -> None:
        """Reads a partition that stays where it is once more from here, as librdkafka may at a rebalance."""
        self._position[partition] = offset
        self._news.set()

    async def start(self, owner: Owner, committed: Callable[[dict[int, int]], None]) -> None:
        self._owner = owner
        self._committed = committed

    async def poll(self, limit: int, seconds: float, resting: Collection[int] = ()) -> list[Message]:
        self.limits.append(limit)
        self._changes.happened()
        await self._rebalance()
        if self.failure is not None:
            raise self.failure
        messages: list[Message] = []
        for partition, position in self._position.items():
            if partition in resting:
                continue
            read = self.log[partition][position:][: limit - len(messages)]
            self._position[partition] += len(read)
            messages += read
        if not messages:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, NAP)):
                    await self._news.wait()
        return messages

    async def _rebalance(self) -> None:
        if leaving := self._take(self._leaving):
            offsets = await self._owner.revoked(leaving)
            assert offsets.keys() <= set(leaving)
            self._store(offsets)
        if lost := self._take(self._lost):
            await self._owner.lost(lost)
        for partition in [*leaving, *lost]:
            del self._position[partition]
        if arriving := self._take(self._arriving):
            self._position |= {partition: self.committed.get(partition, 0) for partition in arriving}
            await self._owner.assigned(arriving)

    @staticmethod
    def _take(partitions: list[int]) -> list[int]:
        taken = list(partitions)
        partitions.clear()
        return taken

    def _store(self, offsets: dict[int, int]) -> None:
        self.commits.append(offsets)
        self.committed |= offsets

    async def commit(self, offsets: dict[int, int]) -> None:
        self._store(offsets)
        self._committed(offsets)

    @property
    def refused(self) -> None:
        return None

    async def again(self, partitions: Collection[int]) -> None:
        still = [partition for partition in partitions if partition in self._position]
        self._position |= {partition: self.committed.get(partition, 0) for partition in still}
        await self._owner.assigned(still)

    async def ends(self) -> dict[int, int]:
        return {partition: len(self.log[partition]) for partition in self._position}

    async def close(self) -> None:
        self.leaving = True
        self._changes.happened()
        await self.may_leave.wait()
        self._leaving = list(self._position)
        await self._rebalance()
        self.closed = True


class JsonDecoder:
    """Reads `{"app": …, "id": …}`; the schema registry may be away, and anything else is refused."""

    def __init__(self) -> None:
        self.registry_away = False
        self.knows_noise = False  # and takes it for records
        self.failure: Exception | None = None
        self.seen: list[list[tuple[int, int]]] = []  # the places of the messages of each call

    def decode(self, messages: Sequence[Message]) -> Decoded:
        self.seen.append([message.place for message in messages])
        if self.registry_away:
            raise SchemaRegistryUnavailable("no answer")
        if self.failure is not None:
            raise self.failure
        decoded = Decoded()
        for message in messages:
            try:
                noise: dict[str, Any] = {"app": "noise", "id": message.offset()}
                value = noise if self.knows_noise else json.loads(message.data)
            except ValueError:
                decoded.refused.append(Refused(message, "undecodable", "it is no JSON"))
                continue
            decoded.origins.append(message)
            decoded.apps.append(value["app"])
            decoded.docs.append({"id": value["id"]})
            decoded.sizes.append(len(message.data))
        return decoded


class Api:
    """Answers `answer`, once `open` is set; keeps what it accepted, and the keys it was asked with."""

    def __init__(self, changes: Changes) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.answer: Callable[[str, Sequence[Doc]], Outcome] = lambda app, docs: Accepted()
        self.accepted: list[tuple[str, int]] = []
        self.keys: list[str] = []
        self.hung_up = 0
        self._changes = changes

    async def publish(self, operation: Operation, app: str, docs: Sequence[Doc], key: str) -> Outcome:
        assert operation is STREAM.operation
        self.keys.append(key)
        self._changes.happened()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.hung_up += 1
            raise
        outcome = self.answer(app, docs)
        if isinstance(outcome, Accepted):
            self.accepted += [(app, doc["id"]) for doc in docs]
        return outcome


class DeadLetters:
    """Takes records once `open` is set."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.failure: Exception | None = None
        self.records: list[Refused] = []

    async def write(self, refused: Sequence[Refused]) -> None:
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        self.records += refused


@dataclass
class Setting:
    """A sink, and all that surrounds it."""

    engine_limits: EngineLimits = field(default_factory=limits)
    partitions: tuple[int, ...] = (0,)
    drain_deadline: float = PATIENCE
    commit_interval: float = 0.0
    delivery: Callable[[Api], Delivery] = Direct
    take_back: float = NEVER

    def __post_init__(self) -> None:
        self.changes = Changes()
        self.topic = Topic(self.changes, self.partitions)
        self.decoder = JsonDecoder()
        self.api = Api(self.changes)
        self.dead_letters = DeadLetters()
        self.engine = Engine(STREAM, "things", self.engine_limits, draw=lambda: 0.0)
        self.metrics = Metrics(lambda: 0.0)
        self.sink = Sink(
            stream=STREAM,
            engine=self.engine,
            consumer=self.topic,
            decoder=self.decoder,
            delivery=self.delivery(self.api),
            dead_letters=self.dead_letters,
            in_doubt=None,
            times=SinkTimes(self.commit_interval, self.drain_deadline, self.take_back),
            metrics=self.metrics,
            wall=lambda: 500.0,
        )

    async def until(self, holds: Callable[[], object]) -> None:
        """Waits until it holds."""
        await self.changes.until(holds)

    @property
    def settled(self) -> bool:
        """Whether something was received, and nothing of it is outstanding."""
        return self.engine.books.received > 0 and self.engine.offsets.outstanding == 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the sink during the block, then stops it, and waits for its end."""
        task = asyncio.create_task(self.sink.run())
        task.add_done_callback(lambda _: self.changes.happened())
        try:
            yield
            self.sink.stop()
            async with asyncio.timeout(PATIENCE):
                await task
        finally:
            task.cancel()

    async def run_to_its_failure(self) -> ExceptionGroup[Exception]:
        """Runs the sink until a defect ends it."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self.sink.run()
        except ExceptionGroup as failure:
            return failure
        raise AssertionError("it ended well")
