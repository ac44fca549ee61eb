"""How long a lane waits after a failure, and what ends its wait.

The draw is 0, so the first wait is half a second, then 1, 2, 4 … up to 30.
"""

import pytest

from bridge.core.outcome import Accepted, Denied, InDoubt, Outcome, Throttled, Unavailable
from tests.core.batches import BAD, DOWN, filled, ids, one, taken
from tests.core.records import engine, limits, run_of


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
