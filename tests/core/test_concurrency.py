"""The limit on requests at once, alone and against simulated APIs. Time is a number here; nothing sleeps."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.concurrency import Concurrency

Reply = tuple[float, str | None]
"""Seconds until an answer, and whose request failed by it, if it did."""

Api = Callable[[int], Reply]
"""Answers a request, told how many are under way with it."""


class Play:
    """Keeps as many requests under way as the limit lets, and notes the limit after each answer."""

    def __init__(self, concurrency: Concurrency, api: Api, demand: int = 10_000) -> None:
        self.concurrency = concurrency
        self.now = 0.0
        self.accepted = 0
        self.limits: list[int] = []
        self._api = api
        self._demand = demand
        self._under_way: list[tuple[float, int, float, str | None]] = []
        self._sent = 0

    def on(self, seconds: float, api: Api | None = None) -> "Play":
        """Plays so many seconds more, from now on against another API if one is given."""
        self._api = api or self._api
        self.limits, self.accepted, end = [], 0, self.now + seconds
        while self.now < end:
            while len(self._under_way) < min(self.concurrency.limit, self._demand):
                wait, failure = self._api(len(self._under_way) + 1)
                self._sent += 1
                heapq.heappush(self._under_way, (self.now + wait, self._sent, self.now, failure))
            count = len(self._under_way)
            self.now, _, sent, failure = heapq.heappop(self._under_way)
            self.concurrency.answered(sent, self.now, count, failure, None if failure else "any")
            self.accepted += failure is None
            self.limits.append(self.concurrency.limit)
        return self

    @property
    def mean(self) -> float:
        return sum(self.limits) / len(self.limits)


def steady(seconds: float) -> Api:
    return lambda under_way: (seconds, None)


def failing(*sources: str) -> Api:
    turn = Random(1)
    return lambda under_way: (0.1, turn.choice(sources))


def crowded(capacity: int, seconds: float, draw: Callable[[], float]) -> Api:
    """Serves so many at once in these seconds, and more of them more slowly."""
    return lambda under_way: (seconds * draw() * max(1.0, under_way / capacity), None)


def jitter(name: str, seed: int) -> Callable[[], float]:
    """Draws with a mean of 1."""
    random = Random(seed)
    return {
        "none": lambda: 1.0,
        "uniform": lambda: random.uniform(0.5, 1.5),
        "lognormal": lambda: random.lognormvariate(-0.125, 0.5),
        "exponential": lambda: random.expovariate(1),
    }[name]


# -- bounds --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One answer: how long after the last one, how long its request took, how it ended."""

    after: float
    took: float
    in_flight: int
    failure: str | None
    kind: int | None


STEPS = st.lists(
    st.builds(
        Step,
        after=st.floats(0, 5),
        took=st.floats(0, 60),
        in_flight=st.integers(1, 64),
        failure=st.sampled_from((None, None, "a", "b")),
        kind=st.sampled_from((None, 1, 2)),
    ),
    max_size=300,
)


def after(steps: list[Step], concurrency: Concurrency, each: Callable[[], None] = lambda: None) -> float:
    now = 0.0
    for step in steps:
        now += step.after
        concurrency.answered(now - step.took, now, step.in_flight, step.failure, step.kind)
        each()
    return now


@given(STEPS, st.integers(1, 64), st.data())
def test_it_stays_between_one_and_the_bound(steps: list[Step], most: int, data: st.DataObject) -> None:
    concurrency = Concurrency(data.draw(st.integers(1, most)), most)

    def check() -> None:
        assert 1 <= concurrency.limit <= most

    after(steps, concurrency, check)


@given(STEPS, st.integers(1, 64), st.floats(0.001, 2))
def test_whatever_was_before_quick_answers_lead_to_the_bound(
    steps: list[Step], most: int, seconds: float
) -> None:
    concurrency = Concurrency(1, most)
    play = Play(concurrency, steady(seconds))
    play.now = after(steps, concurrency) + 1.0
    assert play.on(60 * seconds).limits[-1] == most


@pytest.mark.parametrize(("most", "round_trips"), [(16, 12), (64, 22), (1000, 70)])
def test_how_soon_it_reaches_the_bound(most: int, round_trips: int) -> None:
    assert Play(Concurrency(1, most), steady(0.2)).on(0.2 * round_trips).limits[-1] == most


def test_it_does_not_grow_for_what_nobody_uses() -> None:
    assert Play(Concurrency(4, 100), steady(0.2), demand=3).on(60).limits[-1] == 4


# -- failures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [2, 16, 1000])
def test_a_storm_leads_to_one_and_the_way_back_is_open(most: int) -> None:
    play = Play(Concurrency(most, most, sources=2), failing("a", "b"))
    assert play.on(3).limits[-1] == 1
    assert play.on(20, steady(0.2)).limits[-1] == most


def test_what_was_sent_together_and_fails_is_one_failure() -> None:
    concurrency = Concurrency(16, 16)
    for nth in range(16):
        concurrency.answered(sent=0.0, now=1.0 + nth, in_flight=16 - nth, failure="a")
    assert concurrency.limit == 8
    for _ in range(8):
        concurrency.answered(sent=15.0, now=20.0, in_flight=8, failure="a")
    assert concurrency.limit == 8, "they were sent before it was halved"
    for _ in range(8):
        concurrency.answered(sent=16.5, now=20.0, in_flight=8, failure="a")
    assert concurrency.limit == 4


@pytest.mark.parametrize(("failures", "limit"), [(4, 20), (5, 8)])
def test_a_quarter_of_failures_is_borne(failures: int, limit: int) -> None:
    concurrency = Concurrency(16, 100)
    for nth in range(16):
        concurrency.answered(0.0, 1.0, in_flight=16, failure="a" if nth < failures else None)
    assert concurrency.limit == limit


def test_a_few_answers_decide_nothing() -> None:
    concurrency = Concurrency(2, 2)
    for limit in (2, 2, 2, 1):
        concurrency.answered(0.0, 1.0, in_flight=2, failure="a")
        assert concurrency.limit == limit


@given(st.lists(st.sampled_from((None, "a")), max_size=200), st.integers(1, 20))
def test_failures_of_one_source_are_not_enough_where_two_are_asked_for(
    failures: list[str | None], limit: int
) -> None:
    concurrency = Concurrency(limit, 20, sources=2)
    for nth, failure in enumerate(failures):
        concurrency.answered(float(nth), nth + 1.0, 20, failure, kind="any")
        assert concurrency.limit >= limit


# -- slowness ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("seconds", [0.005, 0.2, 2.0])
@pytest.mark.parametrize(("name", "share"), [("uniform", 0.97), ("lognormal", 0.9), ("exponential", 0.7)])
def test_jitter_does_not_shrink_it(name: str, share: float, seconds: float, seed: int) -> None:
    """Exponential is more jitter than an API should have: then the limit moves, and comes back each time."""
    draw = jitter(name, seed)
    play = Play(Concurrency(4, 16), lambda under_way: (seconds * draw(), None))
    play.on(20 * seconds)
    assert play.on(300 * seconds).mean >= share * 16


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["none", "uniform", "lognormal"])
@pytest.mark.parametrize("seconds", [0.2, 1.0])
@pytest.mark.parametrize("capacity", [4, 16, 50])
def test_it_settles_near_what_the_api_can_do_at_once(
    capacity: int, seconds: float, name: str, seed: int
) -> None:
    """Also in the long run: what is held for usual does not rise with the queue that we make ourselves."""
    play = Play(Concurrency(4, 1000), crowded(capacity, seconds, jitter(name, seed)))
    best = capacity / seconds
    play.on(30 * seconds)
    for _ in range(3):
        play.on(300 * seconds)
        assert 0.9 * capacity <= play.mean <= 1.6 * capacity + 10
        assert play.accepted / (300 * seconds) >= 0.9 * best


def test_it_follows_an_api_that_can_do_less_and_then_more() -> None:
    play = Play(Concurrency(4, 64), crowded(100, 0.2, jitter("uniform", 1)))
    assert play.on(10).limits[-1] == 64
    play.on(10, crowded(16, 0.2, jitter("uniform", 2)))
    assert 16 <= play.on(60).mean <= 35
    assert play.on(10, crowded(100, 0.2, jitter("uniform", 3))).limits[-1] == 64


def test_an_api_that_became_slower_for_good_is_pressed_again() -> None:
    play = Play(Concurrency(4, 16), steady(0.2))
    play.on(10)
    assert min(play.on(10, steady(0.6)).limits) < 16
    assert play.on(10).mean == 16


def test_a_first_answer_that_was_lucky_does_not_shrink_it() -> None:
    waits = [0.08]
    play = Play(Concurrency(16, 16), lambda under_way: (waits.pop() if waits else 0.2, None))
    assert set(play.on(10).limits) == {16}


def test_milliseconds_are_no_slowness() -> None:
    play = Play(Concurrency(16, 16), steady(0.005))
    assert set(play.on(1).limits + play.on(1, steady(0.04)).limits) == {16}


def test_a_slow_first_answer_does_not_count_for_long() -> None:
    """It brings a handshake and a token with it."""
    api, first = crowded(16, 0.2, jitter("uniform", 1)), [(3.0, None)]
    play = Play(Concurrency(4, 1000), lambda under_way: first.pop() if first else api(under_way))
    play.on(60)
    assert play.on(60).mean <= 40


def test_only_answers_of_the_same_kind_are_compared() -> None:
    """A request of one record is no measure for one of a thousand."""
    concurrency, random = Concurrency(16, 16), Random(1)
    for nth in range(2000):
        kind, seconds = random.choice((("small", 0.02), ("large", 0.8)))
        concurrency.answered(nth - seconds, float(nth), 16, kind=kind)
        assert concurrency.limit == 16
