"""Of a rejected batch the bad records are found and buried, and no others."""

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.engine import Engine
from bridge.core.outcome import Accepted, ItemError, Rejected
from tests.core.batches import BAD, DOWN, filled, ids, one, places, taken
from tests.core.records import At


def test_a_single_rejected_record_is_buried_with_what_the_api_said() -> None:
    made = filled()
    batch = one(made)
    bury = made.returned(batch, Rejected(422, "no such field", excerpt="{…}"), 0.0)
    assert bury is not None
    [refused] = bury.refused
    assert refused.origin == At((0, 0))
    assert (refused.reason, refused.detail, refused.status) == ("rejected", "no such field", 422)
    assert (refused.excerpt, refused.attempts, refused.batch_id) == ("{…}", 1, batch.id)


def test_only_the_records_that_the_api_names_are_buried() -> None:
    made = filled(size=10)
    batch = one(made)
    items = (ItemError(7, "too old"), ItemError(2, "no e-mail"))
    bury = made.returned(batch, Rejected(400, "bad request", items), 0.0)
    assert places(bury) == [2, 7]
    assert bury is not None
    assert [refused.detail for refused in bury.refused] == ["no e-mail", "too old"]
    rest = one(made)
    assert ids(rest) == [0, 1, 3, 4, 5, 6, 8, 9]
    assert rest.id != batch.id


@given(st.permutations(range(6)), st.integers(1, 6))
def test_in_whatever_order_the_api_names_them_no_commit_passes_them(order: list[int], named: int) -> None:
    made = filled(size=6)
    items = tuple(ItemError(index, "bad") for index in order[:named])
    bury = made.returned(one(made), Rejected(400, "bad request", items), 0.0)
    assert places(bury) == sorted(order[:named])
    for rest in taken(made):
        made.returned(rest, Accepted(), 0.0)
    assert made.offsets.to_commit() == {0: min(order[:named])}


@pytest.mark.parametrize("index", [-1, 4, 999])
def test_a_position_outside_the_batch_names_no_record(index: int) -> None:
    made = filled(size=4)
    assert made.returned(one(made), Rejected(400, "bad", (ItemError(index, "bad"),)), 0.0) is None
    assert [ids(batch) for batch in taken(made)] == [[0, 1], [2, 3]]


def test_all_named_leaves_nothing_to_send() -> None:
    made = filled(size=3)
    items = tuple(ItemError(index, "bad") for index in range(3))
    assert places(made.returned(one(made), Rejected(400, "bad", items), 0.0)) == [0, 1, 2]
    assert taken(made) == []


def test_a_fault_of_the_whole_request_is_not_halved() -> None:
    made = filled(size=500)
    bury = made.returned(one(made), Rejected(404, "unknown app", whole=True), 0.0)
    assert places(bury) == list(range(500))
    assert taken(made) == []


def test_too_large_is_halved_down_to_the_record_that_is_too_large() -> None:
    """The API takes 25 bytes, records have ten: only halves of two pass, and nothing is buried."""
    made = filled(size=16)
    too_large = Rejected(413, "too large", too_large=True)
    sizes, buried = [], []
    for _ in range(100):
        if (batch := made.take(0.0)) is None:
            break
        sizes.append(len(batch))
        fits = batch.bytes <= 25 and 5 not in ids(batch)  # record 5 is too large by itself
        if bury := made.returned(batch, Accepted() if fits else too_large, 0.0):
            buried += places(bury)
    assert sizes[0] == 16
    assert buried == [5]
    assert made.books.delivered == 15


def test_halves_go_before_what_came_later() -> None:
    made = filled(batches=2, size=4, in_flight_per_lane=1)
    made.returned(one(made), BAD, 0.0)
    first = one(made)
    made.returned(first, Accepted(), 0.0)
    second = one(made)
    made.returned(second, Accepted(), 0.0)
    assert [*ids(first), *ids(second), *ids(one(made))] == list(range(8))


def test_a_rejection_does_not_make_the_lane_wait() -> None:
    made = filled(batches=2, size=4, in_flight_per_lane=1)
    made.returned(one(made), DOWN, 0.0)
    made.returned(one(made, 0.5), BAD, 0.5)
    assert made.waiting == {}
    one(made, 0.5)


def deliver_all(made: Engine, bad: Iterable[int]) -> tuple[int, list[int], list[int]]:
    """Plays an API that rejects any batch with a bad record: requests, ids delivered, offsets buried."""
    poison, requests = set(bad), 0
    delivered: list[int] = []
    buried: list[int] = []
    while (batch := made.take(0.0)) is not None:
        requests += 1
        if poison.isdisjoint(ids(batch)):
            delivered += ids(batch)
            made.returned(batch, Accepted(), 0.0)
        elif (bury := made.returned(batch, BAD, 0.0)) is not None:
            buried += places(bury)
            made.buried(bury)
    return requests, delivered, buried


@given(st.data())
def test_halving_finds_exactly_the_bad_records(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 200))
    bad = data.draw(st.sets(st.integers(0, size - 1)))
    made = filled(size=size)
    requests, delivered, buried = deliver_all(made, bad)
    assert sorted(buried) == sorted(bad)
    assert sorted(delivered) == sorted(set(range(size)) - bad)
    # One request for the batch; below it each bad record costs two halves a level at most, and no record is
    # alone twice.
    assert requests <= min(1 + 2 * len(bad) * math.ceil(math.log2(size)), 2 * size - 1)
    assert made.offsets.to_commit() == {0: size}
    assert made.books.balance(0)


def test_the_worst_batch_costs_two_requests_a_record() -> None:
    made = filled(size=1000)
    requests, delivered, buried = deliver_all(made, range(1000))
    assert (requests, delivered, len(buried)) == (1999, [], 1000)
