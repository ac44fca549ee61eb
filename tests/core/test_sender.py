"""Which batch may go: within the bounds, in turn, and with no record of a partition that was given up."""

import pytest

from bridge.core.batcher import Batch
from bridge.core.engine import Engine
from bridge.core.outcome import Accepted, ItemError, Rejected
from tests.core.batches import DOWN, filled, ids, one, taken
from tests.core.records import At, engine, limits, run_of

# -- bounds and turns ----------------------------------------------------------------------------------------


def test_no_more_requests_than_allowed_for_the_stream_and_for_an_app() -> None:
    made = filled("abc", batches=5, in_flight=5, in_flight_per_lane=2)
    first = taken(made)
    assert sorted(batch.app for batch in first) == ["a", "a", "b", "b", "c"]
    assert made.in_flight == 5
    made.returned(first[0], Accepted(), 0.0)
    assert len(taken(made)) == 1


def test_lanes_take_turns() -> None:
    made = filled("abc", batches=3)
    assert [batch.app for batch in taken(made)] == list("abc" * 3)


def test_an_app_with_a_backlog_does_not_hold_up_one_that_comes_later() -> None:
    made = filled("a", batches=50, in_flight=1)
    made.receive(run_of(1, "b", start=5000), 0.0)
    turns = []
    for _ in range(2):
        batch = one(made)
        turns.append(batch.app)
        made.returned(batch, Accepted(), 0.0)
    assert turns == ["a", "b"]


def test_batches_of_a_lane_go_in_order() -> None:
    assert [ids(batch) for batch in taken(filled(batches=4, size=2))] == [[0, 1], [2, 3], [4, 5], [6, 7]]


# -- partitions given up -------------------------------------------------------------------------------------


def two_partitions() -> tuple[Engine, Batch]:
    """A batch in flight: offsets 0 and 1 of partition 0, then 0 and 1 of partition 1."""
    made = engine(limits(4), partitions=(0, 1))
    made.receive(run_of(2), 0.0)
    records = run_of(2, partition=1)
    records.docs = [{"id": 10}, {"id": 11}]
    made.receive(records, 0.0)
    return made, one(made)


def test_what_was_given_up_in_flight_is_not_sent_again() -> None:
    made, batch = two_partitions()
    name = batch.id
    assert made.give_up([1]) == 2
    made.returned(batch, DOWN, 0.0)
    again = one(made, 0.5)
    assert ids(again) == [0, 1]
    assert again.id != name


def test_what_was_given_up_in_flight_counts_as_delivered_by_nobody() -> None:
    made, batch = two_partitions()
    made.give_up([1])
    made.returned(batch, Accepted(), 0.0)
    assert (made.books.delivered, made.books.handed_over) == (2, 2)
    assert made.books.balance(0)


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_given_up_in_flight_is_left_to_the_next_owner_to_bury(whole: bool) -> None:
    made, batch = two_partitions()
    made.give_up([0])
    items = tuple(ItemError(index, "bad") for index in range(4))
    bury = made.returned(batch, Rejected(400, "bad", () if whole else items, whole=whole), 0.0)
    assert bury is not None
    assert [refused.origin for refused in bury.refused] == [At((1, 0)), At((1, 1))]
    made.buried(bury)
    assert made.books.balance(0)


def test_a_batch_given_up_whole_needs_no_burial() -> None:
    made, batch = two_partitions()
    made.give_up([0, 1])
    assert made.returned(batch, Rejected(404, "unknown app", whole=True), 0.0) is None
    assert taken(made, 100.0) == []
    assert made.books.balance(0)


def test_what_waits_in_the_queue_is_given_up_too() -> None:
    made = engine(limits(4, in_flight=1), partitions=(0, 1))
    made.receive(run_of(4, "first"), 0.0)
    made.receive(run_of(2, start=4), 0.0)
    made.receive(run_of(2, start=50, partition=1), 0.0)
    made.receive(run_of(4, "gone", start=100, partition=1), 0.0)
    first = one(made)
    assert made.give_up([1]) == 6
    made.returned(first, Accepted(), 0.0)
    mixed = one(made)
    assert ids(mixed) == [4, 5]
    made.returned(mixed, Accepted(), 0.0)
    assert taken(made, 100.0) == []
    assert made.books.balance(0)
