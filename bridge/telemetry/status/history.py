"""What a stream did in the last hour: a bounded ring of samples, and what is drawn of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

EVERY_SECONDS = 5.0
KEPT_SECONDS = 3600.0
COLUMNS = 120  # of a plot: one for each 30 s of a whole hour
RATE_SECONDS = 10.0

_Sample = tuple[float, int, float | None]


@dataclass(frozen=True, slots=True)
class Plots:
    """What is drawn: records a second, and how far behind, the oldest first; `seconds` is the time they span.

    How far behind is None where nobody knows.
    """

    seconds: float = 0.0
    flow: tuple[float, ...] = ()
    behind: tuple[float | None, ...] = ()


class History:
    """The samples of one stream. `now` is monotonic seconds, `total` the records that have gone through.

    `behind` is the lag in records, or in seconds for a source; None: not known.
    """

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=int(KEPT_SECONDS / EVERY_SECONDS) + 1)
        self._latest: deque[tuple[float, int]] = deque()
        self.plots = Plots()
        self._moved = float("-inf")
        self.still_seconds = 0.0
        """For how long there has been something to do, and nothing has gone through."""

    def note(self, now: float, total: int, behind: float | None, pending: bool) -> None:
        """Takes a sample, if it is time for the next one; `pending`: there is something to do."""
        if not pending or not self._latest or self._latest[-1][1] != total:
            self._moved = now
        self.still_seconds = now - self._moved
        self._latest.append((now, total))
        while self._latest[0][0] < now - RATE_SECONDS:
            self._latest.popleft()
        if not self._samples or now - self._samples[-1][0] >= EVERY_SECONDS:
            self._samples.append((now, total, behind))
            self.plots = _drawn(list(self._samples))

    @property
    def rate(self) -> float:
        """Records a second, over the last ten seconds."""
        return _rate(self._latest[0], self._latest[-1]) if self._latest else 0.0


def _drawn(samples: Sequence[_Sample]) -> Plots:
    steps = list(pairwise(samples))
    width = -(-len(steps) // COLUMNS) or 1
    columns = [steps[at : at + width] for at in range(0, len(steps), width)]
    return Plots(
        seconds=samples[-1][0] - samples[0][0],
        flow=tuple(_rate(column[0][0][:2], column[-1][1][:2]) for column in columns),
        behind=tuple(
            max((known for _, (_, _, known) in column if known is not None), default=None)
            for column in columns
        ),
    )


def _rate(first: tuple[float, int], last: tuple[float, int]) -> float:
    """Records a second between two moments, each with its total."""
    seconds = last[0] - first[0]
    return max(0.0, (last[1] - first[1]) / seconds) if seconds > 0 else 0.0
