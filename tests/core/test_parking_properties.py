"""Whatever happens in whatever order, each user's last word is the API's last word, parked or not."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bridge.core.batcher import Batch
from bridge.core.engine import Engine
from bridge.core.outcome import Accepted, Outcome, Throttled, Unavailable
from bridge.core.record import Decoded
from bridge.core.stream import Operation, SinkStream
from tests.core.records import Thing, limits
from tests.core.topic import PARTITIONS, Topic

APPS = ("a", "b", "c")
ORDERED = SinkStream(
    name="things",
    operation=Operation.PUBLISH_USERS,
    record=Thing,
    identity=("id",),
    resend_safe=True,
    ordered=True,
)
PLACE = {"a": 0, "b": 1, "c": 1}  # the partition of the parking topic


@dataclass(eq=False)
class Process:
    """One bridge: its engine, and what it has under way."""

    engine: Engine
    requests: list[Batch] = field(default_factory=list)
    parking: list[Batch] = field(default_factory=list)


class ParkingUnderAnyOrder(RuleBasedStateMachine):
    """Plays Kafka and the API around two bridges and one that delivers from the parking topic.

    `memory` is what the journal topic keeps: where the last parked record of a partition and app stands. It
    is written with the records, and by nobody whom the partition was taken from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.version = 0
        self.topic = Topic()
        self.parked_topic = Topic()
        self.memory: dict[tuple[int, str], tuple[int, int]] = {}
        self.down: set[str] = set()
        self.held: dict[int, int] = {}
        self.wanted: dict[int, int] = {}

    @initialize(max_records=st.integers(1, 4), room=st.integers(4, 40))
    def begin(self, max_records: int, room: int) -> None:
        self.bounds = limits(max_records=max_records, in_flight=8, max_outstanding_records=room)
        self.owner = {0: 0, 1: 0, 2: 1}
        self.bridges = [self.made(), self.made()]
        for partition, index in self.owner.items():
            self.take_over(index, [partition])
        self.deliverer = self.made_deliverer()

    def made(self) -> Process:
        bounds = limits(
            max_records=self.bounds.batch.max_records,
            in_flight=8,
            max_outstanding_records=self.bounds.max_outstanding_records,
            park_after=10.0,
        )
        return Process(Engine(ORDERED, "things", bounds, Random(1).random))

    def made_deliverer(self) -> Process:
        bounds = limits(max_records=self.bounds.batch.max_records, max_age=1.0, partitions_apart=True)
        made = Process(Engine(ORDERED, "parked", bounds, Random(2).random))
        self.parked_topic.rewind()
        made.engine.offsets.assign(PARTITIONS)
        return made

    # -- what happens --------------------------------------------------------------------------------------

    @rule(users=st.lists(st.integers(0, 5), min_size=1, max_size=6))
    def produce(self, users: list[int]) -> None:
        for user in users:
            self.version += 1
            self.wanted[user] = self.version
            self.topic.produce(user % 3, {"id": user, "version": self.version}, 0, APPS[user // 2])

    @rule(index=st.integers(0, 1), most=st.integers(1, 12))
    def poll(self, index: int, most: int) -> None:
        self.read(self.bridges[index], self.topic, min(most, self.bridges[index].engine.room))
        self.send(self.bridges[index])

    @rule(most=st.integers(1, 12))
    def poll_parked(self, most: int) -> None:
        self.read(self.deliverer, self.parked_topic, min(most, self.deliverer.engine.room))
        self.send(self.deliverer)

    @rule()
    def delivers(self) -> None:
        """All that it can, without a mishap."""
        self.read(self.deliverer, self.parked_topic, self.deliverer.engine.room)
        self.deliverer.engine.close_open()
        self.send(self.deliverer)
        self.last_acts(self.deliverer, True, True, tell=True)
        self.parked_topic.commit(self.deliverer.engine)

    def read(self, process: Process, topic: Topic, most: int) -> None:
        owned = process.engine.offsets.partitions - process.engine.resting
        got: Decoded = topic.poll(dict.fromkeys(sorted(owned), most // 3 + 1) if most else {})
        process.engine.receive(got, self.now)

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for process in self.processes:
            self.send(process)

    @rule(app=st.sampled_from(APPS))
    def goes_down(self, app: str) -> None:
        self.down.add(app)

    @rule(app=st.sampled_from(APPS))
    def comes_up(self, app: str) -> None:
        self.down.discard(app)

    def send(self, process: Process) -> None:
        while (batch := process.engine.take(self.now)) is not None:
            process.requests.append(batch)
        while (batch := process.engine.take_parked()) is not None:
            process.parking.append(batch)

    @rule(index=st.integers(0, 2), data=st.data(), throttled=st.booleans())
    def answer(self, index: int, data: st.DataObject, throttled: bool) -> None:
        process = self.processes[index]
        if process.requests:
            which = data.draw(st.integers(0, len(process.requests) - 1))
            self.answered(process, process.requests.pop(which), throttled)

    @rule(index=st.integers(0, 1), app=st.sampled_from(APPS))
    def is_parked(self, index: int, app: str) -> None:
        """By whatever judgement: order must not depend on it."""
        self.bridges[index].engine.park(app)
        self.send(self.bridges[index])

    @rule(index=st.integers(0, 1), data=st.data(), hole=st.integers(0, 2))
    def is_written(self, index: int, data: st.DataObject, hole: int) -> None:
        process = self.bridges[index]
        if process.parking:
            which = data.draw(st.integers(0, len(process.parking) - 1))
            self.written(process, process.parking.pop(which), hole)

    @rule(index=st.integers(0, 1))
    def look(self, index: int) -> None:
        engine = self.bridges[index].engine
        for app in engine.parking.delivered(self.parked_topic.committed, self.now):
            for partition in engine.offsets.partitions:
                self.memory.pop((partition, app), None)
            engine.unpark(app)

    @rule(index=st.integers(0, 2))
    def commit(self, index: int) -> None:
        topic = self.parked_topic if index == 2 else self.topic
        topic.commit(self.processes[index].engine)

    @rule(index=st.integers(0, 1), acted=st.booleans(), wrote=st.booleans())
    def dies(self, index: int, acted: bool, wrote: bool) -> None:
        """With requests that the API has taken or not, and records that the parking topic has or not."""
        self.last_acts(self.bridges[index], acted, wrote)
        self.bridges[index] = self.made()
        self.take_over(index, [p for p, owner in self.owner.items() if owner == index])

    @rule(acted=st.booleans())
    def deliverer_dies(self, acted: bool) -> None:
        self.last_acts(self.deliverer, acted, False)
        self.deliverer = self.made_deliverer()

    @rule(partition=st.sampled_from(PARTITIONS), drained=st.booleans())
    def moves(self, partition: int, drained: bool) -> None:
        """To the other bridge; `drained` if the old one finished what it had under way and committed."""
        old = self.owner[partition]
        if drained:
            self.last_acts(self.bridges[old], True, True, tell=True)
            self.topic.commit(self.bridges[old].engine)
        else:
            self.bridges[old].requests, unsure = [], self.bridges[old].requests
            for batch in unsure:  # nothing of an earlier owner reaches the API later than this
                self.answered(self.bridges[old], batch, False)
        self.bridges[old].engine.give_up([partition])
        self.owner[partition] = 1 - old
        self.take_over(1 - old, [partition])

    # -- and what that means -------------------------------------------------------------------------------

    @property
    def processes(self) -> list[Process]:
        return [*self.bridges, self.deliverer]

    def take_over(self, index: int, partitions: Iterable[int]) -> None:
        engine = self.bridges[index].engine
        for partition in partitions:
            self.topic.rewind([partition])
            for (place, app), (to, offset) in self.memory.items():
                if place == partition:
                    engine.park(app, {to: offset})
            engine.offsets.assign([partition])

    def last_acts(self, process: Process, acted: bool, wrote: bool, tell: bool = False) -> None:
        for batch in process.requests if acted else []:
            if tell:
                self.answered(process, batch, False)
            else:
                self.take(batch)
        for batch in process.parking if wrote else []:
            if tell:
                self.written(process, batch, 0)
            else:
                self.write(batch, 0)
        if tell:
            process.requests, process.parking = [], []

    def answered(self, process: Process, batch: Batch, throttled: bool) -> None:
        process.engine.returned(batch, Throttled(429) if throttled else self.take(batch), self.now)

    def take(self, batch: Batch) -> Outcome:
        if batch.app in self.down:
            return Unavailable("down")
        self.held.update((doc["id"], doc["version"]) for doc in batch.docs)
        return Accepted()

    def written(self, process: Process, batch: Batch, hole: int) -> None:
        process.engine.parked(batch, self.write(batch, hole), self.now)

    def write(self, batch: Batch, hole: int) -> dict[int, int]:
        """Puts it on the parking topic, but for partitions that were taken away; returns the last offset."""
        to = PLACE[batch.app]
        last = {}
        for origin, doc in zip(batch.origins, batch.docs, strict=True):
            partition = origin.partition() or 0
            if partition in batch.hold.parts:
                self.parked_topic.produce(to, dict(doc), hole, batch.app)
                last[to] = self.parked_topic.log[to][-1].offset
                self.memory[partition, batch.app] = to, last[to]
        return last

    @invariant()
    def books_balance(self) -> None:
        for process in self.processes if hasattr(self, "deliverer") else []:
            assert process.engine.books.balance(process.engine.offsets.outstanding)

    @invariant()
    def one_way_at_a_time(self) -> None:
        """A lane has a request under way, or one batch on its way to the parking topic, and never both."""
        for process in self.bridges if hasattr(self, "deliverer") else []:
            lanes = [batch.lane for batch in (*process.requests, *process.parking)]
            assert len(set(lanes)) == len(lanes)
            assert {batch.app for batch in process.parking} <= set(process.engine.parking.apps)

    @invariant()
    def nothing_overtakes_what_is_parked(self) -> None:
        """While the parking topic has older records of a partition and app, the others go there as well."""
        for index, process in enumerate(self.bridges if hasattr(self, "deliverer") else []):
            for (partition, app), (to, last) in self.memory.items():
                if self.owner[partition] == index and self.parked_topic.committed[to] <= last:
                    assert app in process.engine.parking.apps

    def teardown(self) -> None:
        """Once all apps answer and time passes, nothing is parked, and the last words are there."""
        if not hasattr(self, "deliverer"):
            return
        self.down.clear()
        for _ in range(400):
            self.now += 5.0
            for index, process in enumerate(self.processes):
                self.read(process, self.parked_topic if index == 2 else self.topic, process.engine.room)
                self.send(process)
                self.last_acts(process, True, True, tell=True)
                self.commit(index)
            self.look(0)
            self.look(1)
            if self.at_rest():
                break
        assert self.at_rest(), "it never comes to rest"
        assert self.held == self.wanted

    def at_rest(self) -> bool:
        read = all(
            topic.position[p] > log[-1].offset
            for topic in (self.topic, self.parked_topic)
            for p, log in topic.log.items()
            if log
        )
        outstanding = any(each.engine.offsets.outstanding for each in self.processes)
        return read and not outstanding and not self.memory


TestParkingUnderAnyOrder = ParkingUnderAnyOrder.TestCase
TestParkingUnderAnyOrder.settings = settings(max_examples=200, stateful_step_count=50)
