"""A token bucket: the rate limits the sandbox can be started with."""

from collections import deque
from collections.abc import Callable


class RateLimit:
    """Lets `per_second` requests a second pass, and as many in one burst after a rest.

    `clock` gives seconds. `violations` counts the requests refused, and `most_in_a_second` is the most that
    came, refused or not, within any one second.
    """

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._rate = per_second
        self._burst = max(per_second, 1.0)
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Begins again, rested and without violations."""
        self._left = self._burst
        self._at = self._clock()
        self._last_second = deque[float]()
        self.violations = self.most_in_a_second = 0

    def refuse_for(self) -> float | None:
        """Takes one request: None if it may pass, else the seconds until one would."""
        now = self._clock()
        self._came(now)
        self._left = min(self._burst, self._left + max(now - self._at, 0.0) * self._rate)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return None
        self.violations += 1
        return (1 - self._left) / self._rate

    def _came(self, now: float) -> None:
        while self._last_second and not now - 1 < self._last_second[0] <= now:
            self._last_second.popleft()
        self._last_second.append(now)
        self.most_in_a_second = max(self.most_in_a_second, len(self._last_second))

    def state(self) -> dict[str, float]:
        """The limit, how often it was violated, and the most requests within one second."""
        return {
            "requests_per_second": self._rate,
            "violations": self.violations,
            "most_in_a_second": self.most_in_a_second,
        }
