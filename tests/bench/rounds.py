"""One job in turn: load, verify, rounds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.bench import api
from tests.bench.bridge_run import BRIDGE
from tests.bench.contestants import FLOOR, FLOOR_AND_POST, Run
from tests.bench.figures import Measured, Summary, summarize
from tests.bench.job import Job
from tests.bench.load import loaded
from tests.bench.track import Track
from tests.bench.verify import Verified, verify
from tests.bench.watched import BenchFailed
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

Show = Callable[[str, int], None]
"""Told what goes on, and how many events of it are done."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a job came to: all runs of each contestant, in order of rounds.

    `event_bytes` is the average on the topic, `failed` has the peers that failed and why.
    """

    job: Job
    rounds: int
    event_bytes: float
    runs: Mapping[str, Sequence[Measured]]
    verified: Verified | None
    failed: Mapping[str, str]

    @property
    def summaries(self) -> list[Summary]:
        """One for each contestant, compared with the floor."""
        return summarize(self.runs, FLOOR)


def run(
    kafka: Cluster[Broker],
    job: Job,
    rounds: int,
    folder: Path,
    show: Show,
    turns: Mapping[str, Run],
    *,
    verified: bool = True,
) -> Result:
    """Measures a job, and `verified` says whether one run before tells every event from every other.

    Contestants take turns within a round, so that a busy minute of the machine meets them all.

    Raises:
        BenchFailed: the floor or the bridge did not do the whole job. A peer that did not is out.
    """
    failed: dict[str, str] = {}
    found = None
    with loaded(kafka, job, partial(show, "produce")) as topics, api.counting(folder) as counting:
        track = Track(job, topics, counting.url, folder)
        if verified:
            with api.sandbox(folder) as sandbox:
                found = verify(replace(track, api_url=sandbox), partial(show, "verify"))
        runs = _rounds(track, rounds, show, turns, failed)
        return Result(job, rounds, topics.event_bytes, runs, found, failed)


def _rounds(
    track: Track, rounds: int, show: Show, turns: Mapping[str, Run], failed: dict[str, str]
) -> dict[str, list[Measured]]:
    runs: dict[str, list[Measured]] = {name: [] for name in turns}
    for number in range(1, rounds + 1):
        for name in [name for name in turns if name not in failed]:
            step = partial(show, f"round {number} of {rounds}: {name}")
            step(0)
            try:
                runs[name].append(turns[name](track, step))
            except BenchFailed as failure:
                if _is_ours(name):
                    raise
                failed[name] = f"it failed in round {number}: {failure}"
                del runs[name]
    return runs


def _is_ours(name: str) -> bool:
    return name in {FLOOR, FLOOR_AND_POST} or name.startswith(BRIDGE)
