"""How many requests may be under way at once, learned from how the answers come.

Additive increase, multiplicative decrease, a round at a time; docs/architecture.md says why this one.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass

ROUND_ANSWERS = 4
"""Answers that a round has at least: fewer say too little."""

FAILED_SHARE = 0.25
"""Share of failed answers in a round beyond which there were too many requests."""

SLOWER = 1.5
"""Times the usual seconds beyond which a round was slow. Half of it is less than 1: a limit that was halved
for slowness lies below the one at which answers began to slow down, so the usual can be measured there."""

SLACK_SECONDS = 0.05
"""Seconds above the usual that are never slow: so much may be this process and the network, not the API."""

MEMORY_ANSWERS = 8
"""Answers that the usual is a mean of: some are needed as answers vary, and the last halving has to count."""


@dataclass(slots=True)
class _Usual:
    seconds: float
    answers: int = 0


class Concurrency:
    """A limit between 1 and `most` on requests at once, which begins at `start`.

    A round is as many answers as the limit, and at least four. If more than a quarter of them are failures,
    from at least `sources` different ones, or they took longer together than is usual, the limit is halved.
    If not, and it was used up, it grows by its square root: 16 is reached from 1 after 7 rounds, 1000 after
    63.
    """

    def __init__(self, start: int, most: int, sources: int = 1) -> None:
        self._limit = float(start)
        self._most = most
        self._sources = sources
        self._usual: dict[Hashable, _Usual] = {}
        self._halved_at = -math.inf
        self._begin(after_halving=False)

    @property
    def limit(self) -> int:
        """Requests at once."""
        return int(self._limit)

    def answered(
        self, sent: float, now: float, in_flight: int, failure: Hashable = None, kind: Hashable = None
    ) -> None:
        """Takes note of an answer that came at `now` to a request of `sent`, in monotonic seconds.

        `in_flight` counts the requests under way just before, this one included. `failure` names the source
        of a request that failed. Its time is compared with that of others of the same `kind`; None where it
        says nothing.
        """
        # Sent before the limit was halved, it tells of the limit that has been halved for it already.
        if sent <= self._halved_at:
            return
        self._answers += 1
        self._used_up |= in_flight >= self.limit
        if failure is not None:
            self._failures.append(failure)
        if kind is not None:
            self._measure(kind, now - sent)
        if self._answers >= max(self.limit, ROUND_ANSWERS):
            self._judge(now)

    def _measure(self, kind: Hashable, seconds: float) -> None:
        usual = self._usual.setdefault(kind, _Usual(seconds))
        self._spare_seconds += max(SLOWER * usual.seconds, usual.seconds + SLACK_SECONDS) - seconds
        # Only while few are under way: else the usual would rise with the queue that it is there to show.
        if self._after_halving or usual.answers < MEMORY_ANSWERS:
            usual.answers += 1
            usual.seconds += (seconds - usual.seconds) / min(usual.answers, MEMORY_ANSWERS)

    def _judge(self, now: float) -> None:
        many_failed = len(self._failures) > FAILED_SHARE * self._answers
        failed = many_failed and len(set(self._failures)) >= self._sources
        slow = self._spare_seconds < 0
        if failed or slow:
            self._limit = max(1.0, self._limit / 2)
            self._halved_at = now
        elif self._used_up:
            self._limit = min(float(self._most), self._limit + math.sqrt(self._limit))
        self._begin(after_halving=failed or slow)

    def _begin(self, after_halving: bool) -> None:
        self._after_halving = after_halving
        self._answers = 0
        self._failures: list[Hashable] = []
        self._spare_seconds = 0.0
        self._used_up = False
