"""With a gate before the batches: whatever happens in whatever order, a whole goes out as one or again."""

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.core.batcher import Batch
from bridge.core.engine import Engine
from bridge.core.gate import Finding, GateBounds
from bridge.core.outcome import Accepted, InDoubt, Outcome, Rejected, Throttled, Unavailable
from bridge.core.record import Doc
from bridge.core.stream import Operation, SinkStream
from bridge.core.verdicts import Bury
from bridge.streams.snapshots import SnapshotRules, Snapshots
from tests.core.records import Thing, limits
from tests.core.topic import PARTITIONS, Produced, Topic

ORDERED = SinkStream(
    name="things",
    operation=Operation.PUBLISH_ORG_CHART,
    record=Thing,
    identity=("id",),
    resend_safe=True,
    ordered=True,
)


def nothing_odd(whole: object) -> list[Finding]:
    return []


class SnapshotsUnderAnyOrder(RuleBasedStateMachine):
    """Plays Kafka, the API and the dead-letter topic. Partitions come and go together, as with one process.

    A record is `done` once the API or the dead-letter topic has it. Ids divisible by 7 are poison to the API.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.topic = Topic()
        self.number = 0
        self.sizes: dict[int, int] = {}  # of the snapshots that were produced to their end
        self.greatest = 0  # number received so far
        self.in_flight: list[Batch] = []
        self.burying: list[Bury] = []
        self.done: set[tuple[int, int]] = set()
        self.accepted: list[int] = []

    @initialize(max_records=st.integers(1, 4), ids=st.lists(st.integers(1, 15), min_size=1, unique=True))
    def begin(self, max_records: int, ids: list[int]) -> None:
        """Starts with a run under way, which random steps would seldom come to."""
        self.max_records = max_records
        self.engine = self.made()
        self.produce(ids, repeat=False, whole=True, noise=False)
        self.poll([len(ids)] * 3)

    def made(self) -> Engine:
        rules = SnapshotRules("id", 1_000, nothing_odd, refuse=False)
        gate = Snapshots(rules, GateBounds(1_000, 10**6), shape=lambda doc: doc)
        bounds = limits(max_records=self.max_records)
        engine = Engine(ORDERED, "things", bounds, Random(1).random, gate)
        engine.offsets.assign(PARTITIONS)
        return engine

    @rule(
        ids=st.lists(st.integers(1, 15), min_size=1, max_size=12, unique=True),
        repeat=st.booleans(),
        whole=st.booleans(),
        noise=st.booleans(),
    )
    def produce(self, ids: list[int], repeat: bool, whole: bool, noise: bool) -> None:
        """A snapshot, or the beginning of one; an id is always on the same partition."""
        self.number += 1
        if repeat:
            self.put({"id": ids[0], "snapshot": self.number})
        for count, each in enumerate(ids, 1):
            doc = {"id": each, "snapshot": self.number}
            if whole and count == len(ids):
                doc["snapshotSize"] = count
                self.sizes[self.number] = count
            self.put(doc)
            if noise:
                self.put({"id": each, "snapshot": self.number}, readable=False)

    def put(self, doc: dict[str, int], readable: bool = True) -> None:
        self.topic.produce(doc["id"] % len(PARTITIONS), doc, hole=1, readable=readable)

    @rule(most=st.lists(st.sampled_from((0, 2, 12)), min_size=3, max_size=3))
    def poll(self, most: list[int]) -> None:
        batch = self.topic.poll(dict(zip(PARTITIONS, most, strict=True)))
        self.greatest = max([self.greatest, *(doc["snapshot"] for doc in batch.docs)])
        self.note(self.engine.receive(batch, self.now))
        self.send()

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.send()

    @precondition(lambda self: self.in_flight)
    @rule(
        outcome=st.sampled_from(
            (Accepted(), Accepted(), Accepted(), Throttled(429), Unavailable("down"), InDoubt("no answer"))
        )
    )
    def answer(self, outcome: Outcome) -> None:
        batch = self.in_flight.pop()
        if isinstance(outcome, Accepted):
            if any(doc["id"] % 7 == 0 for doc in batch.docs):
                outcome = Rejected(400, "bad request")
            else:
                self.take(batch.docs)
        self.note(self.engine.returned(batch, outcome, self.now))
        self.send()

    @precondition(lambda self: self.burying)
    @rule()
    def dead_letters_acknowledged(self) -> None:
        bury = self.burying.pop(0)
        at = {each.origin for each in bury.refused}
        self.done |= {self.word(record) for record in self.topic.readable() if record.at in at}
        self.engine.buried(bury)

    @rule()
    def commit(self) -> None:
        self.topic.commit(self.engine)

    @rule()
    def lose_and_regain(self) -> None:
        self.engine.give_up(PARTITIONS)
        self.engine.offsets.assign(PARTITIONS)
        self.topic.rewind()

    @rule()
    def die_and_start_again(self) -> None:
        self.engine = self.made()
        self.in_flight, self.burying = [], []
        self.topic.rewind()

    @invariant()
    def books_balance(self) -> None:
        if hasattr(self, "engine"):
            assert self.engine.books.balance(self.engine.offsets.outstanding)

    @invariant()
    def no_commit_passes_a_part_of_a_chart(self) -> None:
        """What is passed is settled with its whole snapshot, or a newer snapshot has come."""
        if not hasattr(self, "engine"):
            return
        last_words = {self.word(record): record for record in self.topic.readable()}
        passed = self.topic.committed | self.engine.offsets.to_commit()
        for (number, _), record in last_words.items():
            if record.offset < passed[record.partition]:
                assert number < self.greatest or self.is_out(number), record

    def word(self, record: Produced) -> tuple[int, int]:
        return record.doc["snapshot"], record.doc["id"]

    def is_out(self, number: int) -> bool:
        return self.sizes.get(number) == sum(done == number for done, _ in self.done)

    def teardown(self) -> None:
        """In the end everything is settled but an unfinished newest snapshot, and a finished one is out."""
        if not hasattr(self, "engine"):
            return
        self.poll([1_000] * 3)
        while self.engine.offsets.outstanding > self.engine.gathering or self.in_flight:
            self.now += 100.0
            self.send()
            assert self.in_flight or self.burying, "records are outstanding and nothing would ever move them"
            if self.in_flight:
                self.answer(Accepted())
            while self.burying:
                self.dead_letters_acknowledged()
        if self.number in self.sizes:
            assert self.is_out(self.number)
            assert not self.engine.gathering
            ends = {p: log[-1].offset + 1 for p, log in self.topic.log.items() if log}
            self.topic.commit(self.engine)
            assert {p: offset for p, offset in self.topic.committed.items() if offset} == ends

    def take(self, docs: list[Doc]) -> None:
        self.done |= {(doc["snapshot"], doc["id"]) for doc in docs}
        self.accepted += [doc["snapshot"] for doc in docs]

    def note(self, bury: Bury | None) -> None:
        if bury is not None:
            self.burying.append(bury)

    def send(self) -> None:
        while (batch := self.engine.take(self.now)) is not None:
            assert len({doc["snapshot"] for doc in batch.docs}) == 1
            self.in_flight.append(batch)
        assert len(self.in_flight) <= 1


TestSnapshotsUnderAnyOrder = SnapshotsUnderAnyOrder.TestCase
TestSnapshotsUnderAnyOrder.settings = settings(max_examples=200, stateful_step_count=40)
