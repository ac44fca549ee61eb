"""Whatever happens in whatever order: the books balance, and no commit passes an unsettled record."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.core.batcher import Batch
from bridge.core.engine import Engine
from bridge.core.flood_guard import FloodLimits
from bridge.core.offsets import Hold
from bridge.core.outcome import (
    Accepted,
    Denied,
    InDoubt,
    ItemError,
    Outcome,
    Rejected,
    Throttled,
    Unavailable,
)
from bridge.core.record import Origin
from bridge.core.verdicts import Bury
from tests.core.records import STREAM, At, limits
from tests.core.topic import PARTITIONS, Produced, Topic

APPS = ("a", "b", "c")
RECORDS = st.tuples(
    st.sampled_from(PARTITIONS),
    st.sampled_from(APPS),
    st.integers(0, 9),
    st.integers(0, 2),
    st.sampled_from((True, True, True, True, False)),
)


class EngineUnderAnyOrder(RuleBasedStateMachine):
    """Plays Kafka, the API and the dead-letter topic, and keeps its own account of every offset.

    An offset is `unsettled` from the moment it is received until the API accepts it, the dead-letter topic
    has it, or an identical record stands for it. Ids divisible by 3 are poison to the API, until that is
    mended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.topic = Topic()
        self.in_flight: list[Batch] = []
        self.burying: list[Bury] = []
        self.accepted: set[int] = set()
        self.buried: set[At] = set()
        self.settled: dict[int, set[int]] = {partition: set() for partition in PARTITIONS}  # in one reading
        self.words: dict[tuple[int, int], list[int]] = {}  # by partition and id, also in one reading
        self.mended = False

    @initialize(
        max_records=st.integers(1, 5),
        in_flight=st.integers(1, 4),
        per_lane=st.integers(1, 3),
        start=st.integers(1, 4),
        ordered=st.booleans(),
        flood=st.builds(
            FloodLimits,
            consecutive=st.none() | st.integers(1, 4),
            share=st.none() | st.floats(0.1, 1),
            window=st.integers(1, 12),
        ),
        records=st.lists(RECORDS, min_size=12, max_size=24),
    )
    def begin(
        self,
        max_records: int,
        in_flight: int,
        per_lane: int,
        start: int,
        ordered: bool,
        flood: FloodLimits,
        records: list[tuple[int, str, int, int, bool]],
    ) -> None:
        """Starts with records received, which random steps would seldom come to."""
        bounds = limits(
            max_records=max_records,
            in_flight=in_flight,
            in_flight_per_lane=per_lane,
            start=start,
            flood=flood,
        )
        self.ordered = ordered
        self.engine = Engine(replace(STREAM, ordered=ordered), "things", bounds, draw=Random(1).random)
        self.engine.offsets.assign(PARTITIONS)
        self.per_lane = 1 if ordered else per_lane
        self.most_in_flight = in_flight
        self.produce(records)
        self.poll(4)

    @rule(records=st.lists(RECORDS, max_size=12))
    def produce(self, records: list[tuple[int, str, int, int, bool]]) -> None:
        for partition, app, identity, hole, readable in records:
            # The app is part of who a record is: the same id in two apps is two records.
            doc = {"id": identity * 10 + APPS.index(app)}
            self.topic.produce(partition, doc, hole, app, readable)

    @rule(most=st.integers(1, 12))
    def poll(self, most: int) -> None:
        if not self.engine.room:
            return
        owned = [partition for partition in PARTITIONS if self.engine.offsets.owns(partition)]
        before = dict(self.topic.position)
        batch = self.topic.poll(dict.fromkeys(owned, most))
        if self.engine.admits(batch):
            self.note(self.engine.receive(batch, self.now))
        else:
            self.topic.position = before  # they come again after the resume
        self.send()

    @precondition(lambda self: self.engine.tripped)
    @rule(mended=st.booleans())
    def resume(self, mended: bool) -> None:
        self.mended = self.mended or mended
        for bury in self.engine.resume():
            self.note(bury)
        assert self.engine.tripped is None
        self.send()

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.send()

    @precondition(lambda self: self.in_flight)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(
            (
                Accepted(),
                Accepted(),
                Throttled(429),
                Throttled(429, 30.0),
                Unavailable("down"),
                InDoubt("no answer"),
                Denied(401, "no"),
            )
        ),
        names_items=st.booleans(),
        most=st.integers(1, 5),
    )
    def answer(self, data: st.DataObject, outcome: Outcome, names_items: bool, most: int) -> None:
        for _ in range(most):
            if self.in_flight:
                self.answer_one(data, outcome, names_items)

    def answer_one(self, data: st.DataObject, outcome: Outcome, names_items: bool) -> None:
        batch = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        if isinstance(outcome, Accepted):
            if poison := self.poison(batch):
                items = tuple(ItemError(index, "poison") for index in poison) if names_items else ()
                outcome = Rejected(400, "bad request", items)
            else:
                self.accept(batch)
        self.note(self.engine.returned(batch, outcome, self.now))
        self.send()

    @precondition(lambda self: self.burying)
    @rule(data=st.data())
    def dead_letters_acknowledged(self, data: st.DataObject) -> None:
        bury = self.burying.pop(data.draw(st.integers(0, len(self.burying) - 1)))
        self.buried.update(refused.origin for refused in bury.refused if isinstance(refused.origin, At))
        self.settle(bury.hold, [refused.origin for refused in bury.refused])
        self.engine.buried(bury)

    @rule(partitions=st.sets(st.sampled_from(PARTITIONS), min_size=1))
    def lose(self, partitions: set[int]) -> None:
        self.engine.give_up(partitions)

    @rule(partitions=st.sets(st.sampled_from(PARTITIONS), min_size=1))
    def gain(self, partitions: set[int]) -> None:
        gained = [p for p in partitions if not self.engine.offsets.owns(p)]
        self.topic.rewind(gained)
        self.settled.update({p: set() for p in gained})
        self.words = {place: words for place, words in self.words.items() if place[0] not in gained}
        self.engine.offsets.assign(partitions)

    @rule()
    def commit(self) -> None:
        self.topic.commit(self.engine)

    @invariant()
    def books_balance(self) -> None:
        if hasattr(self, "engine"):
            assert self.engine.books.balance(self.engine.offsets.outstanding)
            assert self.engine.shown == (self.engine.books, self.engine.offsets.outstanding)

    @invariant()
    def no_commit_passes_an_unsettled_record(self) -> None:
        if not hasattr(self, "engine"):
            return
        commits = self.engine.offsets.to_commit()
        for partition, offset in commits.items():
            for record in self.topic.log[partition]:
                if record.offset < offset:
                    assert self.is_safe(record, commits), f"{record} is unsettled below {offset}"

    @invariant()
    def requests_stay_within_bounds(self) -> None:
        if hasattr(self, "engine"):
            assert len(self.in_flight) == self.engine.in_flight <= self.most_in_flight
            assert 1 <= self.engine.concurrency_limit <= self.most_in_flight
            for app in APPS:
                assert sum(batch.app == app for batch in self.in_flight) <= self.per_lane

    def teardown(self) -> None:
        """Once all answers are good and time passes, everything that is ours gets settled."""
        if not hasattr(self, "engine"):
            return
        while self.engine.offsets.outstanding or self.in_flight:
            self.now += 100.0
            if self.engine.tripped:
                self.resume(mended=True)
            self.engine.close_open()
            self.send()
            assert self.in_flight or self.burying, "records are outstanding and nothing would ever move them"
            for batch in list(self.in_flight):
                self.in_flight.remove(batch)
                outcome: Outcome = Rejected(400, "bad request")
                if not self.poison(batch):
                    outcome = Accepted()
                    self.accept(batch)
                self.note(self.engine.returned(batch, outcome, self.now))
            for bury in self.burying:
                self.engine.buried(bury)
            self.burying.clear()
        assert self.engine.books.balance(0)
        assert not self.engine.waiting

    def note(self, bury: Bury | None) -> None:
        if bury is not None:
            assert self.engine.tripped is None, "no dead letters while the stream is stopped"
            self.burying.append(bury)

    def send(self) -> None:
        while (batch := self.engine.take(self.now)) is not None:
            assert len(batch)
            assert len({doc["id"] for doc in batch.docs}) == len(batch)
            self.in_flight.append(batch)

    def poison(self, batch: Batch) -> list[int]:
        """The positions of what the API refuses."""
        return [] if self.mended else [index for index, doc in enumerate(batch.docs) if doc["id"] % 3 == 0]

    def accept(self, batch: Batch) -> None:
        """The API takes a batch; in ordered streams never an older word after a newer one."""
        self.accepted.update(doc["id"] for doc in batch.docs)
        self.settle(batch.hold, batch.origins)
        for origin, doc in zip(batch.origins, batch.docs, strict=True):
            if self.ordered and origin.partition() in batch.hold.parts:
                words = self.words.setdefault((origin.partition() or 0, doc["id"]), [-1])
                words.append(origin.offset() or 0)
                assert words[-1] > words[-2]

    def settle(self, hold: Hold, origins: Iterable[Origin]) -> None:
        """Each is settled once, unless it was read again."""
        for origin in origins:
            partition, offset = origin.partition() or 0, origin.offset() or 0
            if partition in hold.parts:
                assert offset not in self.settled[partition], f"{partition}:{offset} is settled twice"
                self.settled[partition].add(offset)

    def is_safe(self, record: Produced, commits: dict[int, int]) -> bool:
        """Whether a death after these commits loses nothing: it is settled, or a twin is read again."""
        if not record.readable:
            return record.at in self.buried
        key = record.doc["id"]
        return key in self.accepted or any(
            twin.at in self.buried
            or twin.offset >= commits.get(twin.partition, self.topic.committed[twin.partition])
            for twin in self.topic.readable()
            if twin.doc["id"] == key
        )


TestEngineUnderAnyOrder = EngineUnderAnyOrder.TestCase
TestEngineUnderAnyOrder.settings = settings(max_examples=200, stateful_step_count=40)
