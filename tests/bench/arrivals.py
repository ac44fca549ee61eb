"""What arrived at the counting server, and when."""

import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson


@dataclass(slots=True)
class Arrivals:
    """For each batch, its monotonic second (of the whole machine) and how many events had come with it."""

    times: list[float] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)

    @property
    def events(self) -> int:
        """How many events arrived."""
        return self.totals[-1] if self.totals else 0

    def note(self, events: int) -> None:
        """One batch has come."""
        self.totals.append(self.events + events)
        self.times.append(time.monotonic())

    def forget(self) -> None:
        """Starts afresh."""
        self.times.clear()
        self.totals.clear()

    def to_json(self) -> bytes:
        """As `from_json` takes it."""
        return orjson.dumps([self.times, self.totals])

    @classmethod
    def from_json(cls, text: bytes) -> "Arrivals":
        """As the server told it."""
        return cls(*orjson.loads(text))

    def delays(self, sent: Sequence[float]) -> list[float]:
        """Seconds of each event from when it was sent, in order, until its batch had come.

        Raises:
            ValueError: not as many events came as were sent.
        """
        if self.events != len(sent):
            raise ValueError(f"{len(sent)} events were sent and {self.events} came")
        return [self.times[bisect_right(self.totals, number)] - when for number, when in enumerate(sent)]

    def at_share(self, share: float) -> float:
        """The second at which this share of all events had arrived."""
        wanted = share * self.events
        return next(when for when, total in zip(self.times, self.totals, strict=True) if total >= wanted)
