"""How long to wait before trying again."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `initial` to `maximum` seconds, each drawn between half and the whole of it.

    The draw keeps replicas that failed together from coming back together.
    """

    initial: float
    maximum: float

    def wait(self, failures: int, draw: Callable[[], float]) -> float:
        """Seconds to wait after this many failures in a row (at least 1); `draw` gives numbers in [0, 1)."""
        # 2**60 seconds is past any maximum, and keeps the power from growing without end in a long outage.
        ceiling = min(self.maximum, self.initial * 2.0 ** min(failures - 1, 60))
        return ceiling * (0.5 + 0.5 * draw())
