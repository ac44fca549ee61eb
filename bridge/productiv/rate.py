"""A limit on requests per second, and what it held up."""

from collections.abc import Callable

from aiolimiter import AsyncLimiter


class Rate:
    """So many turns a second, evenly; `per_second` None lets everybody pass.

    `turns` counts them, and `waited` adds up the seconds that they were waited for. `clock` gives monotonic
    seconds.
    """

    def __init__(self, per_second: float | None, clock: Callable[[], float]) -> None:
        self.per_second = per_second
        self.turns = 0
        self.waited = 0.0
        # A bucket of one: requests are 1/rate seconds apart, also the first ones after a quiet time.
        self._limiter = AsyncLimiter(1, 1 / per_second) if per_second else None
        self._clock = clock

    async def turn(self) -> None:
        """Returns when it is the caller's turn."""
        if self._limiter is not None:
            began = self._clock()
            await self._limiter.acquire()
            self.waited += self._clock() - began
        self.turns += 1
