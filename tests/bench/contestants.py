"""The processes that take turns, and one run of each over a job's topic."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tests.bench import floor
from tests.bench.api import Counting
from tests.bench.arrivals import Arrivals
from tests.bench.bridge_run import BRIDGE, Variant, run_bridge
from tests.bench.committed import same
from tests.bench.figures import Measured
from tests.bench.installed import Peer
from tests.bench.peer_run import run_peer
from tests.bench.track import RUN_SECONDS, START_SECONDS, STOP_SECONDS, Progress, Track
from tests.bench.watched import Watched

Run = Callable[[Track, Progress], Measured]

FLOOR = "consume and decode"
FLOOR_AND_POST = "consume, decode, post"


@dataclass(frozen=True, slots=True)
class Does:
    """What a contestant does of the job beside moving events: each makes it slower and safer."""

    validates: bool = False
    batches_by_app: bool = False
    retries: bool = False
    commits: bool = False
    ledger: bool = False


DOES: Mapping[str, Does] = {
    FLOOR: Does(),
    FLOOR_AND_POST: Does(batches_by_app=True),
    BRIDGE: Does(validates=True, batches_by_app=True, retries=True, commits=True, ledger=True),
    "mq-bridge": Does(retries=True, commits=True),
    "Quix Streams": Does(batches_by_app=True, commits=True),
    "Arroyo": Does(batches_by_app=True, commits=True),
    "FastStream": Does(
        batches_by_app=True, retries=True, commits=True
    ),  # a batch not acknowledged is read again
    "Redpanda Connect": Does(batches_by_app=True, retries=True, commits=True),
}


def contestants(variants: Sequence[Variant] = (Variant(),), peers: Mapping[str, Peer] = {}) -> dict[str, Run]:
    """Who takes turns, by name: the two floors, bridges, and peers that are installed."""
    return {
        FLOOR: partial(_floor, post=False),
        FLOOR_AND_POST: partial(_floor, post=True),
        **{variant.name: partial(_bridge, variant=variant) for variant in variants},
        **{name: partial(run_peer, peer) for name, peer in peers.items()},
    }


def _floor(track: Track, progress: Progress, post: bool) -> Measured:
    loaded, job = track.loaded, track.job
    arguments = [loaded.bootstrap, loaded.topic, job.format, str(job.events)]
    counting = Counting(track.api_url)
    counting.forget()
    command = [sys.executable, "-m", "tests.bench.floor", *arguments, *([track.api_url] if post else [])]
    with Watched(command, track.folder / "floor.log") as process:
        process.wait_for(lambda line: line == floor.READY, START_SECONDS)
        process.ready()
        told = process.wait_for(lambda line: line.startswith("["), RUN_SECONDS)
        usage = process.end(STOP_SECONDS)
    progress(job.events)
    arrivals = counting.arrivals() if post else Arrivals.from_json(told.encode())
    same("events at the API" if post else "events decoded", arrivals.events, job.events)
    return Measured.of(arrivals, usage, process.began)


def _bridge(track: Track, progress: Progress, variant: Variant) -> Measured:
    counting = Counting(track.api_url)
    counting.forget()
    usage, began = run_bridge(track, counting.events, progress, variant)
    return Measured.of(counting.arrivals(), usage, began)
