import asyncio
import time

import pytest

from bridge.productiv.rate import Rate

pytestmark = pytest.mark.anyio


async def test_turns_are_apart_and_what_was_waited_adds_up() -> None:
    rate = Rate(50.0, time.monotonic)
    await asyncio.gather(*(rate.turn() for _ in range(3)))
    assert rate.turns == 3
    assert rate.waited >= 0.05  # 0, 20 and 40 ms, less what timers leave off


async def test_without_a_limit_nobody_waits() -> None:
    rate = Rate(None, lambda: 1 / 0)
    for _ in range(1000):
        await rate.turn()
    assert (rate.turns, rate.waited) == (1000, 0.0)
