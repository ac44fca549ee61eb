import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.productiv.rate import Rate, limiter

pytestmark = pytest.mark.anyio


async def test_turns_are_apart_and_what_was_waited_adds_up() -> None:
    rate = Rate(50.0, time.monotonic)
    await asyncio.gather(*(rate.turn() for _ in range(3)))
    assert rate.turns == 3
    assert rate.waited >= 0.03  # 0, 8 and 28 ms, less what timers leave off


@given(st.floats(0.01, 1000))
def test_no_second_has_more_turns_than_allowed_and_nearly_all_of_them_can_be_had(per_second: float) -> None:
    made = limiter(per_second)
    refilled = made.max_rate / made.time_period  # in a second
    assert made.max_rate + refilled <= per_second + 1.000001  # one more begins the next second
    assert refilled >= 0.98 * per_second


@given(st.floats(0.01, 1000))
def test_who_wakes_late_can_catch_up(per_second: float) -> None:
    """With room for a single turn, no turn could come sooner after a late one."""
    assert limiter(per_second).max_rate > 1


async def test_without_a_limit_nobody_waits() -> None:
    rate = Rate(None, lambda: 1 / 0)
    for _ in range(1000):
        await rate.turn()
    assert (rate.turns, rate.waited) == (1000, 0.0)
