"""The engine with a gate: offsets of a run stay tied together, and what is held counts."""

from bridge.core.engine import Engine
from bridge.core.flood_guard import FloodLimits
from bridge.core.gate import Finding, GateBounds
from bridge.core.outcome import Accepted, ItemError, Rejected
from bridge.core.record import Decoded
from bridge.streams.snapshots import SnapshotRules, Snapshots
from tests.core.records import At, decoded, limits
from tests.core.test_gate_properties import ORDERED


def engine(
    max_records: int = 2, odd: tuple[Finding, ...] = (), refuse: bool = False, guard: int | None = None
) -> Engine:
    rules = SnapshotRules("id", 1_000, lambda whole: list(odd), refuse)
    gate = Snapshots(rules, GateBounds(1_000, 10_000), shape=lambda doc: doc)
    bounds = limits(
        max_records=max_records,
        max_outstanding_bytes=10_000,
        max_outstanding_records=1_000,
        flood=FloodLimits(consecutive=guard, share=None, window=1),
    )
    made = Engine(ORDERED, "things", bounds, lambda: 0.0, gate)
    made.offsets.assign([0, 1])
    return made


def snapshot(number: int, count: int, size: int, start: int = 0, partition: int = 0) -> Decoded:
    places = range(start, start + count)
    return Decoded(
        [At((partition, place)) for place in places],
        ["a"] * count,
        [{"id": (partition, place), "snapshot": number, "snapshotSize": size} for place in places],
        [10] * count,
    )


def test_no_offset_of_a_run_is_passed_before_all_of_it_is_settled() -> None:
    made = engine()
    made.receive(snapshot(1, 3, size=6), 0.0)
    made.receive(snapshot(1, 3, size=6, partition=1), 0.0)
    for _ in range(2):
        batch = made.take(0.0)
        assert batch is not None
        made.returned(batch, Accepted(), 0.0)
        assert made.offsets.to_commit() == {0: 0, 1: 0}
    last = made.take(0.0)
    assert last is not None
    bury = made.returned(last, Rejected(400, "no", (ItemError(1, "bad"),)), 0.0)
    assert bury is not None
    rest = made.take(0.0)
    assert rest is not None
    made.returned(rest, Accepted(), 0.0)
    assert made.offsets.to_commit() == {0: 0, 1: 0}
    made.buried(bury)
    assert made.offsets.to_commit() == {0: 3, 1: 3}
    assert made.books.balance(0)


def test_a_run_that_lost_a_partition_holds_back_the_others() -> None:
    """Whoever has all partitions next needs the records of all of them."""
    made = engine(max_records=10)
    made.receive(snapshot(1, 3, size=6), 0.0)
    made.receive(snapshot(1, 3, size=6, partition=1), 0.0)
    batch = made.take(0.0)
    assert batch is not None
    made.give_up([1])
    made.returned(batch, Accepted(), 0.0)
    assert made.offsets.outstanding == 0
    assert made.offsets.to_commit() == {0: 0}


def test_what_is_held_is_outstanding_and_takes_room() -> None:
    made = engine()
    made.receive(snapshot(1, 999, size=1_000), 0.0)
    assert (made.gathering, made.offsets.outstanding, made.room) == (999, 999, 1)
    assert made.take(100.0) is None
    assert made.books.balance(999)
    assert made.offsets.to_commit() == {0: 0}
    made.give_up([0, 1])
    assert (made.gathering, made.books.handed_over, made.room) == (0, 999, 1_000)


def test_bytes_held_take_room() -> None:
    made = engine()
    decoded = snapshot(1, 2, size=3)
    decoded.sizes = [9_000, 999]
    made.receive(decoded, 0.0)
    assert made.room > 0
    decoded = snapshot(1, 1, size=9, start=2)
    decoded.sizes = [1]
    bury = made.receive(decoded, 0.0)
    assert bury is not None  # it fills the bound, so it could wait for ever
    assert len(bury.refused) == 3


def test_a_refusal_of_a_whole_is_one_for_the_flood_guard() -> None:
    made = engine(odd=(Finding("id", "odd", 1),), refuse=True, guard=5)
    bury = made.receive(snapshot(1, 50, size=50), 0.0)
    assert bury is not None
    assert len(bury.refused) == 50
    assert made.tripped is None
    assert made.findings() == [Finding("id", "odd", 1)]
    assert made.findings() == []
    made.buried(bury)
    assert made.offsets.to_commit() == {0: 50}
    assert made.books.balance(0)


def test_what_a_gate_refused_when_it_stopped_the_stream_becomes_dead_letters_after_a_resume() -> None:
    """Of the partitions that are still ours: the next owner of the others judges theirs."""
    made = engine(guard=3)
    nameless = decoded((0, 0, "a", 1), (1, 0, "a", 2), (1, 1, "a", 3))
    assert made.admits(nameless)
    assert made.receive(nameless, 0.0) is None
    assert made.tripped is not None
    assert made.offsets.outstanding == 3
    made.give_up([1])
    [bury] = made.resume()
    assert made.tripped is None
    assert [each.origin for each in bury.refused] == [At((0, 0))]
    made.buried(bury)
    assert made.books.balance(0)
    assert made.offsets.to_commit() == {0: 1}


def test_offsets_move_past_what_is_superseded_in_whatever_order_it_is_named() -> None:
    made = engine()
    made.receive(snapshot(2, 1, size=9, partition=1), 0.0)
    late, newer = snapshot(1, 1, size=9, start=1, partition=1), snapshot(3, 1, size=1)
    both = Decoded(late.origins + newer.origins, ["a", "a"], late.docs + newer.docs, late.sizes + newer.sizes)
    made.receive(both, 0.0)
    assert made.offsets.to_commit() == {0: 0, 1: 2}
    assert made.books.superseded == 2
