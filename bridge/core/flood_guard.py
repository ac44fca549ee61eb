"""Stops a stream whose records are mostly refused, instead of pouring its topic into the dead letters."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """When too much is refused; None turns a limit off.

    `consecutive`: records refused with none good between them. `share`: refused records among the last
    `window` records, judged once that many were seen.
    """

    consecutive: int | None
    share: float | None
    window: int


class Limit(StrEnum):
    """Which limit was reached; also a metric label."""

    CONSECUTIVE = "consecutive"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Trip:
    """Why a stream must stop: the limit, and a sentence."""

    limit: Limit
    why: str


class FloodGuard:
    """Counts good and refused records, and says once and for all when there were too many refused."""

    def __init__(self, limits: FloodLimits) -> None:
        self._limits = limits
        self._consecutive = 0
        self._recent: deque[tuple[int, int]] = (
            deque()
        )  # (good, refused), at most `window` records and one entry
        self._good = 0
        self._refused = 0
        self.tripped: Trip | None = None
        """Why the stream must stop; None while all is well."""

    def note(self, good: int, refused: int) -> None:
        """Counts records as they are judged; in a call with good ones the refused are not in a row."""
        if not good and not refused:
            return
        self._consecutive = 0 if good else self._consecutive + refused
        self._recent.append((good, refused))
        self._good += good
        self._refused += refused
        while (
            len(self._recent) > 1 and self._good + self._refused - sum(self._recent[0]) >= self._limits.window
        ):
            old_good, old_refused = self._recent.popleft()
            self._good -= old_good
            self._refused -= old_refused
        self.tripped = self.tripped or self._judge()

    def _judge(self) -> Trip | None:
        limits = self._limits
        if limits.consecutive is not None and self._consecutive >= limits.consecutive:
            why = f"{self._consecutive} records in a row were refused (limit {limits.consecutive})"
            return Trip(Limit.CONSECUTIVE, why)
        seen = self._good + self._refused
        if limits.share is not None and seen >= limits.window and self._refused >= limits.share * seen:
            why = f"{self._refused} of the last {seen} records were refused (limit {limits.share:.0%})"
            return Trip(Limit.SHARE, why)
        return None
