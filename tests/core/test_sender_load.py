"""How many requests may be under way at once: as many as the API bears."""

from dataclasses import replace

import pytest

from bridge.core.engine import Engine
from bridge.core.outcome import Accepted, Denied, InDoubt, Outcome, Throttled
from bridge.core.stream import LaneBy
from tests.core.batches import BAD, DOWN, filled, one, taken
from tests.core.records import STREAM, engine, limits, run_of


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
