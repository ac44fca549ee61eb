"""Everything around a sink of money that outlives it: the topic, the journal, the API, the topics for what is
put aside. The process may die before or after each thing it does to this world.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bridge.core.backoff import Backoff
from bridge.core.batcher import Batch, BatchLimits
from bridge.core.books import Books
from bridge.core.engine import Engine, EngineLimits
from bridge.core.flood_guard import FloodLimits
from bridge.core.journal import Entry, State
from bridge.core.outcome import Accepted, InDoubt, Outcome, Rejected, Unavailable
from bridge.core.ports import Fenced, Owner, Written
from bridge.core.record import Decoded, Doc, Refused
from bridge.core.sender import SendLimits
from bridge.core.stream import LaneBy, Operation, SinkStream
from bridge.delivery import Journaled
from bridge.sink import Sink, SinkTimes
from bridge.telemetry.metrics import Metrics

T = TypeVar("T")

PAYMENTS = SinkStream(
    name="payments",
    operation=Operation.PUBLISH_SPEND,
    record=dict,
    identity=(),
    resend_safe=False,
    lane=LaneBy.APP_AND_PARTITION,
)
ACCEPT, LOSE, LOSE_UNTAKEN, DOWN, NO_SUCCESS = "accept", "lose", "lose_untaken", "down", "no_success"


class Died(BaseException):
    """The process is no more."""


@dataclass(frozen=True)
class Record:
    """One record of the topic. `bad` ones are refused by the API, `noise` cannot be decoded."""

    place: tuple[int, int]
    app: str
    bad: bool = False
    noise: bool = False

    def partition(self) -> int:
        return self.place[0]

    def offset(self) -> int:
        return self.place[1]

    def value(self) -> bytes:
        return repr((self.place, self.app)).encode()

    def timestamp(self) -> tuple[int, int]:
        return (0, 0)


@dataclass
class World:
    """`script` says what becomes of the requests, one after the other; those after its end are accepted."""

    records: list[Record]
    script: Sequence[str] = ()
    committed: dict[int, int] = field(default_factory=dict)
    journal: dict[tuple[int, str], Entry] = field(default_factory=dict)
    owners: Counter[int] = field(default_factory=Counter)  # how often each partition was taken over
    accepted: Counter[tuple[int, int]] = field(default_factory=Counter)
    dead: list[tuple[int, int]] = field(default_factory=list)
    parked: list[tuple[int, int]] = field(default_factory=list)
    moved: list[tuple[int, int]] = field(default_factory=list)  # what is on the parking topic
    parked_apps: dict[tuple[int, str], int] = field(default_factory=dict)
    parkers: Counter[int] = field(default_factory=Counter)  # as `owners`, of the parking topic
    keys: dict[str, frozenset[tuple[int, int]]] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)  # the key of each request
    steps: int = 0
    dies_at: int | None = None
    topic_id: str | None = "the first"

    @property
    def partitions(self) -> set[int]:
        return {record.partition() for record in self.records}

    @property
    def all_committed(self) -> bool:
        ends = {p: max(r.offset() for r in self.records if r.partition() == p) + 1 for p in self.partitions}
        return all(self.committed.get(p, 0) >= end for p, end in ends.items())

    def open_batches(self) -> set[str]:
        """The ids of the batches with open entries."""
        return {entry.batch for entry in self.journal.values() if entry.state is State.OPEN}

    def open_records(self) -> set[tuple[int, int]]:
        """The records under open entries."""
        return {
            (entry.partition, first + n)
            for entry in self.journal.values()
            if entry.state is State.OPEN
            for first, count in entry.runs
            for n in range(count)
        }

    async def do(self, effect: Callable[[], T]) -> T:
        """One thing done to the world, with a chance to die just before it and just after it."""
        await asyncio.sleep(0)  # others get their turn, as they would while Kafka or the API takes its time
        self._tick()
        result = effect()
        self._tick()
        return result

    def _tick(self) -> None:
        self.steps += 1
        if self.dies_at is not None and self.steps >= self.dies_at:
            raise Died  # whatever else the process still tries comes to the same end

    def answer(self, docs: Sequence[Doc], key: str) -> Outcome:
        places = [doc["place"] for doc in docs]
        known = self.keys.setdefault(key, frozenset(places))
        assert known == frozenset(places), "a key stands for one set of records"
        says = self.script[len(self.sent)] if len(self.sent) < len(self.script) else ACCEPT
        self.sent.append(key)
        if says == DOWN:
            return Unavailable("down")
        if says == LOSE_UNTAKEN:
            return InDoubt("no answer")
        if any(doc["bad"] for doc in docs):
            return Rejected(400, "bad request")
        self.accepted.update(places)
        if says == LOSE:
            return InDoubt("no answer")
        return Rejected(200, "no success") if says == NO_SUCCESS else Accepted()


class Process:
    """One run of the bridge in this world: the real sink, engine and delivery."""

    def __init__(
        self,
        world: World,
        policy: str = "park",
        partitions: Collection[int] | None = None,
        parks: str | None = None,
    ) -> None:
        self.world = world
        limits = EngineLimits(
            batch=BatchLimits(3, 10**6, 0.0),
            send=SendLimits(4, 2, Backoff(1e-4, 1e-3), keep_doubtful=policy == "park"),
            flood=FloodLimits(None, None, 1),
            max_outstanding_records=1000,
            max_outstanding_bytes=10**9,
        )
        self.engine = Engine(PAYMENTS, "payments", limits, draw=lambda: 0.0)
        self.store = Store(world)
        self.sink = Sink(
            stream=PAYMENTS,
            engine=self.engine,
            consumer=Group(world, world.partitions if partitions is None else partitions, self.stop),
            decoder=Reader(),
            delivery=Journaled(Api(world), self.store, self.engine.journal, lambda: float(world.steps)),
            dead_letters=Aside(world, world.dead),
            in_doubt=Aside(world, world.parked),
            times=SinkTimes(0.0, 1.0),
            metrics=Metrics(lambda: 0.0),
            parking=ParkingLot(world) if parks else None,
        )
        if parks:
            self.engine.park(parks)

    def stop(self) -> None:
        self.sink.stop()

    def run(self, dies_at: int | None = None) -> bool:
        """Runs until all is committed or it dies; says whether it lived."""
        self.world.steps, self.world.dies_at = 0, dies_at
        try:
            asyncio.run(asyncio.wait_for(self.sink.run(), 20))
        except BaseExceptionGroup as group:
            if group.split(Died)[1] is not None:
                raise
            return False
        except Died:
            return False
        return True

    @property
    def books(self) -> Books:
        return self.engine.books


class Api:
    def __init__(self, world: World) -> None:
        self.world = world

    async def publish(self, operation: Operation, app: str, docs: Sequence[Doc], key: str) -> Outcome:
        return await self.world.do(lambda: self.world.answer(docs, key))


class Aside:
    def __init__(self, world: World, kept: list[tuple[int, int]]) -> None:
        self.world, self.kept = world, kept

    async def write(self, refused: Sequence[Refused]) -> None:
        places = [(one.origin.partition() or 0, one.origin.offset() or 0) for one in refused]
        await self.world.do(lambda: self.kept.extend(places))


class Store:
    """The journal topic, with Kafka's fence: taking over ends the lease of whoever was before."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.leases: dict[int, Lease] = {}

    async def take_over(self, partitions: Collection[int]) -> Mapping[int, Sequence[Entry]]:
        def fence_and_read() -> dict[int, list[Entry]]:
            for partition in partitions:
                self.world.owners[partition] += 1
                self.leases[partition] = Lease(self.world, partition, self.world.owners[partition])
            return {p: [e for (at, _), e in self.world.journal.items() if at == p] for p in partitions}

        return await self.world.do(fence_and_read)

    async def topic_id(self) -> str | None:
        return self.world.topic_id

    def lease(self, partition: int) -> "Lease":
        return self.leases[partition]


class Lease:
    def __init__(self, world: World, partition: int, number: int) -> None:
        self.world, self.partition, self.number = world, partition, number
        self.later: dict[str, Entry | None] = {}

    async def write(self, entries: Mapping[str, Entry | None]) -> None:
        values, self.later = {**self.later, **entries}, {}
        await self.world.do(lambda: self._write(values))

    def _write(self, values: Mapping[str, Entry | None]) -> None:
        if self.number != self.world.owners[self.partition]:
            raise Fenced
        for batch, entry in values.items():
            if entry is None:
                self.world.journal.pop((self.partition, batch), None)
            else:
                self.world.journal[self.partition, batch] = entry

    def write_later(self, entries: Mapping[str, Entry | None]) -> None:
        self.later.update(entries)


class ParkingLot:
    """The parking topic and what the journal topic knows of it; each partition's part is written as one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.numbers: dict[int, int] = {}

    async def fence(self, partitions: Collection[int]) -> None:
        def fence() -> None:
            for partition in partitions:
                self.world.parkers[partition] += 1
                self.numbers[partition] = self.world.parkers[partition]

        await self.world.do(fence)

    async def left(self, partitions: Collection[int]) -> Mapping[str, Mapping[int, int]]:
        def read() -> dict[str, dict[int, int]]:
            return {app: {0: at} for (p, app), at in self.world.parked_apps.items() if p in partitions}

        return await self.world.do(read)

    async def write(self, batch: Batch, entry: Entry | None) -> Written:
        assert entry is not None
        return await self.world.do(lambda: self._write(batch, entry))

    def _write(self, batch: Batch, entry: Entry) -> Written:
        if self.numbers[batch.partition] != self.world.parkers[batch.partition]:
            return Written({}, frozenset([batch.partition]))
        self.world.moved += [(o.partition() or 0, o.offset() or 0) for o in batch.origins]
        self.world.journal[batch.partition, entry.batch] = entry
        self.world.parked_apps[batch.partition, batch.app] = len(self.world.moved) - 1
        return Written({0: len(self.world.moved) - 1})

    async def forget(self, app: str) -> None:
        raise AssertionError("nothing is delivered from it")

    async def committed(self, partitions: Collection[int]) -> Mapping[int, int]:
        return {}


class Reader:
    def decode(self, messages: Sequence[Any]) -> Decoded:
        decoded = Decoded()
        for record in messages:
            if record.noise:
                decoded.refused.append(Refused(record, "undecodable", "it is noise"))
            else:
                decoded.add(record, record.app, {"place": record.place, "bad": record.bad}, 10)
        return decoded


class Group:
    """The consumer: reads from what is committed, and stops the sink when all is."""

    def __init__(self, world: World, partitions: Iterable[int], done: Callable[[], None]) -> None:
        self.world, self.partitions, self.done = world, sorted(partitions), done

    async def start(self, owner: Owner, committed: Callable[[dict[int, int]], None]) -> None:
        self.owner, self.committed = owner, committed
        await owner.assigned(self.partitions)
        self.position = {p: self.world.committed.get(p, 0) for p in self.partitions}

    async def poll(self, limit: int, seconds: float, resting: Collection[int] = ()) -> list[Any]:
        await asyncio.sleep(0)
        if self.world.all_committed:
            self.done()
        new = [
            record
            for record in self.world.records
            if record.offset() >= self.position.get(record.partition(), 10**9)
        ][: min(limit, 4)]
        for record in new:
            self.position[record.partition()] = record.offset() + 1
        return new

    async def commit(self, offsets: dict[int, int]) -> None:
        await self.world.do(lambda: self.world.committed.update(offsets))
        self.committed(offsets)

    @property
    def refused(self) -> None:
        return None

    async def again(self, partitions: Collection[int]) -> None:
        raise AssertionError("nothing is given up so soon")

    async def ends(self) -> dict[int, int]:
        return {}

    async def close(self) -> None:
        await self.owner.revoked(self.partitions)
