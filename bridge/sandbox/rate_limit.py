"""A token bucket: the rate limit the sandbox can be started with."""

from collections.abc import Callable


class RateLimit:
    """Lets `per_second` requests a second pass, and as many in one burst after a rest.

    `clock` gives seconds. `violations` counts the requests refused.
    """

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._rate = per_second
        self._burst = max(per_second, 1.0)
        self._clock = clock
        self._left = self._burst
        self._at = clock()
        self.violations = 0

    def refuse_for(self) -> float | None:
        """Takes one request: None if it may pass, else the seconds until one would."""
        now = self._clock()
        self._left = min(self._burst, self._left + max(now - self._at, 0.0) * self._rate)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return None
        self.violations += 1
        return (1 - self._left) / self._rate

    def reset(self) -> None:
        """Begins again, rested and without violations."""
        self._left = self._burst
        self._at = self._clock()
        self.violations = 0

    def state(self) -> dict[str, float]:
        """The limit and how often it was violated."""
        return {"requests_per_second": self._rate, "violations": self.violations}
