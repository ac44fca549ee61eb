"""When batches may go and what outcomes mean for them, tested through the engine that makes the batches.

The draw is 0, so the first wait is half a second, then 1, 2, 4 … up to 30.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.batcher import Batch
from bridge.core.engine import Engine
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
from bridge.core.stream import LaneBy
from bridge.core.verdicts import Bury
from tests.core.records import STREAM, At, engine, limits, run_of

DOWN = Unavailable("connection refused")
BAD = Rejected(400, "bad request")


def taken(made: Engine, now: float = 0.0) -> list[Batch]:
    """All batches that may go now."""
    batches = []
    while (batch := made.take(now)) is not None:
        batches.append(batch)
    return batches


def one(made: Engine, now: float = 0.0) -> Batch:
    """The one batch that may go now."""
    [batch] = taken(made, now)
    return batch


def filled(
    apps: str = "a",
    batches: int = 1,
    size: int = 1,
    in_flight: int = 16,
    in_flight_per_lane: int = 4,
    start: int | None = None,
) -> Engine:
    """An engine with so many closed batches of each app."""
    made = engine(limits(size, in_flight=in_flight, in_flight_per_lane=in_flight_per_lane, start=start))
    for nth, app in enumerate(apps):
        made.receive(run_of(batches * size, app, start=1000 * nth), 0.0)
    return made


def ids(batch: Batch) -> list[int]:
    return [doc["id"] for doc in batch.docs]


def places(bury: Bury | None) -> list[int]:
    """The offsets that are to be dead-lettered."""
    assert bury is not None
    return [one.origin.offset() or 0 for one in bury.refused]


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


# -- waiting -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        (DOWN, "connection refused"),
        (InDoubt("read timeout"), "read timeout"),
        (Denied(401, "wrong client"), "wrong client"),
        (Throttled(429), "throttled"),
    ],
)
def test_the_same_batch_goes_again_after_a_wait(outcome: Outcome, cause: str) -> None:
    made = filled(batches=2, size=3, in_flight_per_lane=1)
    batch = one(made)
    name = batch.id
    assert made.returned(batch, outcome, 10.0) is None
    assert made.waiting == {"a": cause}
    assert made.wake_at() == 10.5
    assert taken(made, 10.49) == []
    again = one(made, 10.5)
    assert (again.id, ids(again), again.attempts) == (name, [0, 1, 2], 2)
    made.returned(again, Accepted(), 10.6)
    assert made.waiting == {}
    assert made.books.delivered == 3


def test_waits_grow_with_each_failure_in_a_row_and_begin_anew_after_a_success() -> None:
    made = filled(batches=2, in_flight_per_lane=1)
    now, waits = 0.0, []
    for _ in range(9):
        made.returned(one(made, now), DOWN, now)
        wake_at = made.wake_at()
        assert wake_at is not None
        waits.append(wake_at - now)
        now = wake_at
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    made.returned(one(made, now), Accepted(), now)
    made.returned(one(made, now), DOWN, now)
    assert made.wake_at() == now + 0.5


def test_a_failing_lane_waits_alone() -> None:
    made = filled("ab", batches=3, in_flight_per_lane=1)
    a, b = taken(made)
    made.returned(a, DOWN, 0.0)
    made.returned(b, Accepted(), 0.0)
    assert one(made).app == "b"
    assert made.waiting == {"a": "connection refused"}


def test_a_lane_comes_back_with_one_request_at_a_time() -> None:
    made = filled(batches=9)
    in_flight = taken(made)
    assert len(in_flight) == 4
    for batch in in_flight:
        made.returned(batch, DOWN, 0.0)
    assert made.in_flight == 0
    trial = one(made, 0.5)
    assert taken(made, 100.0) == []
    made.returned(trial, Accepted(), 100.0)
    assert len(taken(made, 100.0)) == 2  # half of what it had


def test_one_at_a_time_holds_also_while_older_requests_are_under_way() -> None:
    made = filled(batches=9)
    first, second, third, fourth = taken(made)
    made.returned(first, DOWN, 0.0)
    assert taken(made, 50.0) == []
    assert made.wake_at() is None  # the older ones have to return first, and they wake it
    made.returned(second, Unavailable("reset"), 50.0)
    made.returned(third, Unavailable("reset"), 50.0)
    made.returned(fourth, Unavailable("reset"), 50.0)
    wake_at = made.wake_at()
    assert wake_at is not None
    assert len(taken(made, wake_at)) == 1


def test_requests_that_fail_together_are_one_failure() -> None:
    made = filled(batches=4)
    for batch in taken(made):
        made.returned(batch, DOWN, 0.0)
    assert made.wake_at() == 0.5


def test_what_failed_together_goes_again_before_all_else() -> None:
    made = filled(batches=6)
    for batch in taken(made):
        made.returned(batch, DOWN, 0.0)
    order = []
    for now in (0.5, 0.6, 0.7, 0.8):
        for batch in taken(made, now):
            order += ids(batch)
            made.returned(batch, Accepted(), now)
    assert set(order[:4]) == {0, 1, 2, 3}
    assert order[4:] == [4, 5]


def test_retry_after_is_honoured() -> None:
    made = filled()
    made.returned(one(made), Throttled(429, retry_after=17.0), 3.0)
    assert made.wake_at() == 20.0
    assert taken(made, 19.99) == []
    one(made, 20.0)


def test_a_late_success_does_not_end_the_pause() -> None:
    made = filled(batches=6)
    first, second, *_ = taken(made)
    made.returned(first, Throttled(429, retry_after=30.0), 0.0)
    made.returned(second, Accepted(), 1.0)
    assert taken(made, 29.9) == []
    assert made.waiting == {"a": "throttled"}


def test_a_success_under_way_when_the_lane_failed_does_not_end_its_pause() -> None:
    made = filled(batches=6)
    first, second, *_ = taken(made)
    made.returned(first, DOWN, 0.0)
    made.returned(second, Accepted(), 0.4)
    assert taken(made, 0.4) == []


@pytest.mark.parametrize("late", [Throttled(429, retry_after=2.0), Throttled(429), DOWN, Denied(403, "no")])
def test_a_shorter_wait_does_not_shorten_the_pause(late: Outcome) -> None:
    made = filled(batches=6)
    first, second, third, fourth = taken(made)
    made.returned(first, Throttled(429, retry_after=30.0), 0.0)
    made.returned(second, late, 1.0)
    made.returned(third, Accepted(), 1.0)
    made.returned(fourth, BAD, 1.0)
    assert made.wake_at() == 30.0
    assert taken(made, 29.9) == []
    assert len(taken(made, 30.0)) == 1


def test_throttled_is_no_failure() -> None:
    """However often the API asked to slow down, an outage after it begins with the shortest wait."""
    made = filled()
    now = 0.0
    for _ in range(20):
        made.returned(one(made, now), Throttled(429), now)
        now += 0.5
    made.returned(one(made, now), DOWN, now)
    assert made.wake_at() == now + 0.5


def test_an_outage_within_a_short_pause_waits_in_full() -> None:
    made = filled(batches=4)
    first, second, *_ = taken(made)
    made.returned(first, Throttled(429, retry_after=0.1), 0.0)
    made.returned(second, DOWN, 0.05)
    assert taken(made, 0.54) == []


def test_a_pause_asked_for_a_batch_that_was_given_up_holds_for_its_app() -> None:
    made = engine(limits(1), partitions=(0, 1))
    made.receive(run_of(1), 0.0)
    batch = one(made)
    made.give_up([0])
    made.returned(batch, Throttled(429, retry_after=30.0), 0.0)
    made.receive(run_of(1, partition=1), 1.0)
    assert taken(made, 29.9) == []
    one(made, 30.0)


def test_a_pause_outlives_a_rebalance() -> None:
    """The records that waited went to another member; others of the same app are still to wait."""
    made = engine(limits(1), partitions=(0, 1))
    made.receive(run_of(1), 0.0)
    made.returned(one(made), Throttled(429, retry_after=30.0), 0.0)
    made.give_up([0])
    assert (made.waiting, made.wake_at()) == ({}, None)
    made.receive(run_of(1, partition=1), 1.0)
    assert taken(made, 29.9) == []
    one(made, 30.0)


def test_refused_credentials_are_told_until_the_api_answers_about_records() -> None:
    for answer in (Accepted(), BAD):
        made = filled(batches=2, in_flight_per_lane=1)
        made.returned(one(made), Denied(401, "wrong client"), 0.0)
        assert made.denied
        made.returned(one(made, 0.5), answer, 0.5)
        assert not made.denied


def test_refused_credentials_are_never_a_reason_to_bury() -> None:
    made = filled()
    now = 0.0
    for _ in range(100):
        now += 60.0
        assert made.returned(one(made, now), Denied(403, "no"), now) is None
    assert made.offsets.outstanding == 1


def test_what_was_handed_over_is_not_denied_any_more() -> None:
    made = filled()
    batch = one(made)
    made.give_up([0])
    made.returned(batch, Denied(401, "wrong client"), 0.0)
    assert not made.denied
    assert made.waiting == {}


# -- as much at once as the API bears ------------------------------------------------------------------------


def played(
    made: Engine, answers: dict[str, Outcome], seconds: float, now: float, each: float = 0.1
) -> dict[str, int]:
    """Answers each app alike for so long, each request after a tenth; the most at once of each app."""
    most, end = dict.fromkeys(answers, 0), now + seconds
    while now < end:
        batches = taken(made, now)
        now += each
        for app in most:
            most[app] = max(most[app], sum(batch.app == app for batch in batches))
        for batch in batches:
            made.returned(batch, answers[batch.app], now)
    return most


def test_it_begins_with_a_few_requests_and_soon_sends_all_it_may() -> None:
    made = filled("abcd", batches=200, start=4)
    assert len(taken(filled("abcd", batches=200, start=4))) == 4
    assert played(made, dict.fromkeys("abcd", Accepted()), 2, now=0.0) == dict.fromkeys("abcd", 4)
    assert made.concurrency_limit == 16


@pytest.mark.parametrize("storm", [Throttled(429), Throttled(429, 0.2), DOWN, InDoubt("read timeout")])
def test_a_storm_over_all_apps_leads_to_one_request_at_once_and_back(storm: Outcome) -> None:
    made = filled("abcd", batches=300)
    played(made, dict.fromkeys("abcd", storm), 300, now=0.0)
    assert made.concurrency_limit == 1
    played(made, dict.fromkeys("abcd", Accepted()), 30, now=400.0)
    assert made.concurrency_limit == 16


@pytest.mark.parametrize("trouble", [Throttled(429), DOWN, InDoubt("read timeout"), Denied(403, "no")])
def test_failures_of_one_app_leave_the_others_all_they_had(trouble: Outcome) -> None:
    made = filled("abcd", batches=300)
    most = played(made, {"a": trouble} | dict.fromkeys("bcd", Accepted()), 6, now=0.0)
    assert most == dict.fromkeys("abcd", 4)
    assert made.concurrency_limit == 16
    played(made, {"a": trouble} | dict.fromkeys("bcd", Accepted()), 200, now=6.0)
    assert made.concurrency_limit == 16, "also when nobody else sends"


def test_an_app_whose_requests_fail_gets_fewer_at_once_and_comes_back_to_all() -> None:
    made = filled("ab", batches=300)
    played(made, {"a": DOWN, "b": Accepted()}, 60, now=0.0)
    assert played(made, dict.fromkeys("ab", Accepted()), 0.3, now=100.0) == {"a": 1, "b": 0}
    assert played(made, dict.fromkeys("ab", Accepted()), 5, now=101.0)["a"] == 4


def test_partitions_of_one_app_are_one_voice() -> None:
    """An app of spend has a lane for each partition, and they fail together."""
    made = Engine(replace(STREAM, lane=LaneBy.APP_AND_PARTITION), "things", limits(1), draw=lambda: 0.0)
    made.offsets.assign((0, 1))
    for partition in (0, 1):
        made.receive(run_of(50, start=1000 * partition, partition=partition), 0.0)
    played(made, {"a": DOWN}, 100, now=0.0)
    assert made.concurrency_limit == 16


@pytest.mark.parametrize(("answer", "limit"), [(Denied(401, "no"), 4), (BAD, 16)])
def test_refused_credentials_say_nothing_of_load_and_refused_records_that_it_is_borne(
    answer: Outcome, limit: int
) -> None:
    made = filled("abcd", batches=50, start=4)
    played(made, dict.fromkeys("abcd", answer), 100, now=0.0)
    assert made.concurrency_limit == limit


def test_a_lane_that_waits_for_others_to_return_sets_no_timer() -> None:
    made = filled("ab", batches=2, start=1)
    made.returned(one(made), DOWN, 0.0)
    other = one(made)
    assert (other.app, made.wake_at()) == ("b", None)
    made.returned(other, Accepted(), 0.1)
    assert made.wake_at() == 0.5


def test_rising_latency_leads_to_fewer_requests_at_once() -> None:
    made = filled("abcd", batches=300)
    played(made, dict.fromkeys("abcd", Accepted()), 2, now=0.0)
    played(made, dict.fromkeys("abcd", Accepted()), 2, now=10.0, each=0.9)
    assert made.concurrency_limit < 16


def test_a_quick_refusal_is_no_measure_for_what_is_accepted() -> None:
    made = filled("abcd", batches=100)
    played(made, dict.fromkeys("abcd", BAD), 0.01, now=0.0, each=0.001)
    played(made, dict.fromkeys("abcd", Accepted()), 0.4, now=1.0, each=0.4)
    assert made.books.delivered == 16
    assert made.concurrency_limit == 16


def test_a_small_request_is_no_measure_for_a_large_one() -> None:
    made = engine(limits(8, in_flight=4, in_flight_per_lane=2, max_age=1.0))
    now = 0.0
    for nth in range(100):
        made.receive(run_of(8, "large", start=100 * nth), now)
        made.receive(run_of(1, "small", start=100 * nth + 50), now)
        now += 1.0
        batches = {batch.app: batch for batch in taken(made, now)}
        made.returned(batches["small"], Accepted(), now + 0.001)
        made.returned(batches["large"], Accepted(), now + 0.4)
        now += 0.5
    assert made.concurrency_limit == 4


# -- rejected ------------------------------------------------------------------------------------------------


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
