"""Everything in turn: load, warm up, rounds, verification."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.bench import api
from tests.bench.bridge_run import Track
from tests.bench.contestants import FLOOR, contestants
from tests.bench.figures import Measured, Summary, summarize
from tests.bench.job import Job
from tests.bench.load import loaded
from tests.bench.verify import Verified, verify
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

Show = Callable[[str, int], None]
"""Told what goes on, and how many events of it are done."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a job came to; `event_bytes` is the average on the topic."""

    job: Job
    rounds: int
    event_bytes: float
    summaries: list[Summary]
    verified: Verified


def run(
    kafka: Cluster[Broker], job: Job, rounds: int, folder: Path, show: Show, against: Path | None = None
) -> Result:
    """Measures a job.

    Contestants take turns within a round, so that a busy minute of the machine meets them all.

    Raises:
        BenchFailed: a contestant did not do the whole job.
    """
    turns = contestants(against)
    runs: dict[str, list[Measured]] = {name: [] for name in turns}
    with (
        loaded(kafka, job, partial(show, "produce")) as topics,
        api.counting(folder) as counting,
        api.sandbox(folder) as sandbox,
    ):
        track = Track(job, topics, counting, folder)
        verified = verify(replace(track, api_url=sandbox), partial(show, "verify"))
        for number in range(1, rounds + 1):
            for name, contestant in turns.items():
                step = partial(show, f"round {number} of {rounds}: {name}")
                step(0)
                runs[name].append(contestant(track, step))
        return Result(job, rounds, topics.event_bytes, summarize(runs, FLOOR), verified)
