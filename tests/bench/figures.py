"""What was measured of one run, and what many runs come to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.arrivals import Arrivals
from tests.bench.watched import Usage

QUARTERS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one contestant.

    `rate`: events a second, from the first batch to the last. `cpu_micros`: CPU time per event in
    microseconds, user and system, all threads, start-up left out. `first_batch`: seconds from the start of
    the process until its first batch was done. `peak`: resident bytes at most. `memory`: resident bytes
    once a quarter, a half, three quarters and all of the events were done. `batch`: events in a batch, on
    average. `done`: seconds from the start of the process until the last batch was done.
    """

    rate: float
    cpu_micros: float
    first_batch: float
    peak: int
    memory: Sequence[int]
    batch: float
    done: float

    @classmethod
    def of(cls, arrivals: Arrivals, usage: Usage, began: float) -> "Measured":
        """The figures of a run that `began` at a monotonic second."""
        first, last = arrivals.times[0], arrivals.times[-1]
        # The first batch marks the beginning, so its own events took no part of the time.
        events = arrivals.events - arrivals.totals[0]
        counted = arrivals.events - usage.before
        return cls(
            rate=events / (last - first) if last > first else 0.0,
            cpu_micros=usage.cpu_seconds / counted * 1e6 if counted else math.nan,
            first_batch=first - began,
            peak=usage.peak,
            memory=[usage.resident_at(arrivals.at_share(share)) for share in QUARTERS],
            batch=arrivals.events / len(arrivals.times),
            done=last - began,
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and most of a figure over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Summary:
    """All rounds of one contestant. The ratio is of CPU time to the floor's in the same round."""

    name: str
    rate: Spread
    cpu_micros: Spread
    cpu_ratio: Spread
    first_batch: Spread
    peak: Spread
    memory: Sequence[Spread]
    batch: Spread
    done: Spread


def summarize(runs: Mapping[str, Sequence[Measured]], floor: str) -> list[Summary]:
    """One summary for each contestant, compared with the one called `floor`."""
    return [_summary(name, measured, runs[floor]) for name, measured in runs.items()]


def _summary(name: str, runs: Sequence[Measured], floor: Sequence[Measured]) -> Summary:
    ratios = [run.cpu_micros / least.cpu_micros for run, least in zip(runs, floor, strict=True)]
    return Summary(
        name=name,
        rate=Spread.of([run.rate for run in runs]),
        cpu_micros=Spread.of([run.cpu_micros for run in runs]),
        cpu_ratio=Spread.of(ratios),
        first_batch=Spread.of([run.first_batch for run in runs]),
        peak=Spread.of([run.peak for run in runs]),
        memory=[Spread.of(values) for values in zip(*(run.memory for run in runs), strict=True)],
        batch=Spread.of([run.batch for run in runs]),
        done=Spread.of([run.done for run in runs]),
    )
