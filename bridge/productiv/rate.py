"""A limit on requests per second, and what it held up."""

from collections.abc import Callable

from aiolimiter import AsyncLimiter

# Who wakes late for a turn may be early for the next by so much; else each delay would be lost for good.
CATCH_UP_SECONDS = 0.0125


class Rate:
    """At most so many turns in any second, evenly; `per_second` None lets everybody pass.

    What may be caught up on is taken off the rate, so under load 98.75 % of it is used.

    `turns` counts them, and `waited` adds up the seconds that they were waited for. `clock` gives monotonic
    seconds.
    """

    def __init__(self, per_second: float | None, clock: Callable[[], float]) -> None:
        self.per_second = per_second
        self.turns = 0
        self.waited = 0.0
        self._limiter = limiter(per_second) if per_second else None
        self._clock = clock

    async def turn(self) -> None:
        """Returns when it is the caller's turn."""
        if self._limiter is not None:
            began = self._clock()
            await self._limiter.acquire()
            self.waited += self._clock() - began
        self.turns += 1


def limiter(per_second: float) -> AsyncLimiter:
    """Lets nobody pass too soon for there to be more than `per_second` in any second."""
    # A bucket of hardly more than one: turns are apart also after a quiet time.
    size = 1 + per_second * CATCH_UP_SECONDS
    return AsyncLimiter(size, size / (per_second * (1 - CATCH_UP_SECONDS)))
