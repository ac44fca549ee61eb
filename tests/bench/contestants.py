"""The processes that take turns, and one run of each over a job's topic."""

import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.bench import floor
from tests.bench.arrivals import Arrivals
from tests.bench.bridge_run import RUN_SECONDS, START_SECONDS, STOP_SECONDS, Progress, Track, run_bridge, same
from tests.bench.figures import Measured
from tests.bench.watched import Watched

Contestant = Callable[[Track, Progress], Measured]

FLOOR = "consume and decode"
FLOOR_AND_POST = "consume, decode, post"
BRIDGE = "productiv-bridge"


def contestants(against: Path | None = None) -> dict[str, Contestant]:
    """Who takes turns, by name; `against` is another checkout, to be compared with this one."""
    chosen: dict[str, Contestant] = {
        FLOOR: lambda track, progress: _floor(track, progress, post=False),
        FLOOR_AND_POST: lambda track, progress: _floor(track, progress, post=True),
        BRIDGE: _bridge,
    }
    if against is not None:
        chosen[f"{BRIDGE} in {against.name}"] = lambda track, progress: _bridge(track, progress, against)
    return chosen


def _floor(track: Track, progress: Progress, post: bool) -> Measured:
    loaded, job = track.loaded, track.job
    arguments = [loaded.bootstrap, loaded.topic, job.format, str(job.events)]
    _forget(track.api_url)
    command = [sys.executable, "-m", "tests.bench.floor", *arguments, *([track.api_url] if post else [])]
    with Watched(command, track.folder / "floor.log") as process:
        process.wait_for(lambda line: line == floor.READY, START_SECONDS)
        process.ready()
        told = process.wait_for(lambda line: line.startswith("["), RUN_SECONDS)
        usage = process.end(STOP_SECONDS)
    if post:
        same("events at the API", _arrivals(track.api_url).events, job.events)
    progress(job.events)
    return Measured.of(Arrivals.from_json(told.encode()), usage, process.began)


def _bridge(track: Track, progress: Progress, checkout: Path | None = None) -> Measured:
    _forget(track.api_url)
    usage, began = run_bridge(track, lambda: _arrivals(track.api_url).events, progress, checkout)
    return Measured.of(_arrivals(track.api_url), usage, began)


def _arrivals(api_url: str) -> Arrivals:
    with urllib.request.urlopen(api_url, timeout=30) as answer:
        return Arrivals.from_json(answer.read())


def _forget(api_url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(api_url, method="DELETE"), timeout=30).close()
