"""`productiv-bridge run` over a job's topic: started as anyone would, and held against its own books."""

import json
import secrets
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.bench.committed import Group, records_on, same
from tests.bench.track import RUN_SECONDS, START_SECONDS, STOP_SECONDS, Progress, Track
from tests.bench.watched import Usage, Watched

STREAM = "usage"
BRIDGE = "productiv-bridge"


@dataclass(frozen=True, slots=True)
class Variant:
    """A bridge to be measured: with settings of its own, of another checkout, or with workers."""

    name: str = BRIDGE
    settings: Mapping[str, Any] = field(default_factory=dict)
    checkout: Path | None = None
    workers: int = 1


def with_workers(workers: int) -> Variant:
    """A bridge with so many workers.

    Its batches wait for half a second at most: events that make full batches for one leave several of them
    with some that are not full, and to wait 5 s for those would be most of the time that is measured.
    """
    name = BRIDGE if workers == 1 else f"{BRIDGE}, {workers} workers"
    return Variant(name, {"sinks": {STREAM: {"batch": {"max_age_seconds": 0.5}}}}, workers=workers)


@dataclass(frozen=True, slots=True)
class Running:
    """A bridge that has started."""

    process: Watched
    group: str
    operations_url: str

    def books(self) -> dict[str, int]:
        """The columns of its books, as its metrics show them."""
        with urllib.request.urlopen(f"{self.operations_url}/metrics/", timeout=30) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            samples = [sample for family in families for sample in family.samples]
        values = Counter[str]()
        for sample in samples:
            if {**sample.labels, "worker": ""} == {"stream": STREAM, "worker": ""}:  # of whichever worker
                values[sample.name] += int(sample.value)
        columns = ("received", "delivered", "dead_lettered", "superseded", "handed_over")
        books = {column: values[f"bridge_records_{column}_total"] for column in columns}
        return books | {"outstanding": values["bridge_records_outstanding"]}


@contextmanager
def started(track: Track, variant: Variant) -> Iterator[Running]:
    """The bridge, from when it says that it has started; CPU time counts from there."""
    settings, group = _settings(track, variant.settings)
    config = track.folder / "bridge.yaml"
    config.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "bridge", "run", "--only", STREAM, "--config", str(config)]
    if variant.workers > 1:
        command += ["--workers", str(variant.workers)]
    with Watched(command, track.folder / "bridge.log", variant.checkout) as process:
        first = json.loads(process.wait_for(_has_a_port, START_SECONDS))
        process.wait_for(_is_started, START_SECONDS, times=variant.workers)
        process.ready()
        yield Running(process, group, first["operations_port"])


def run_bridge(
    track: Track, arrived: Callable[[], int], progress: Progress, variant: Variant
) -> tuple[Usage, float]:
    """One run until all has come; `arrived` asks the API how many events it has.

    Returns what the process used, and the monotonic second of its start.

    Raises:
        BenchFailed: something is missing, too much, refused, or not committed.
    """
    with started(track, variant) as running:
        before = arrived()
        usage = finish(running, track, arrived, progress)
    return replace(usage, before=before), running.process.began


def finish(running: Running, track: Track, arrived: Callable[[], int], progress: Progress) -> Usage:
    """Waits until all has come, ends the bridge, and holds what came against its books.

    Raises:
        BenchFailed: as `run_bridge`.
    """

    def all_arrived() -> bool:
        progress(done := arrived())
        return done >= track.job.events

    running.process.wait_until(all_arrived, RUN_SECONDS)
    books: dict[str, int] = {}

    def settled() -> bool:
        books.update(running.books())
        return books["outstanding"] == 0

    running.process.wait_until(settled, STOP_SECONDS)
    usage = running.process.stop(STOP_SECONDS)
    _check(track, books, running.group)
    same("events at the API", arrived(), track.job.events)
    return usage


def _settings(track: Track, changes: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Defaults, but for addresses and names, and `changes`; and the consumer group that follows from it."""
    prefix = f"bench-{secrets.token_hex(4)}"
    sink = {
        "topic": track.loaded.topic,
        "dead_letter_topic": track.loaded.dead_letters,
        "format": track.job.format.value,
        "park_after_seconds": None,  # the topics that it takes are not there
    }
    settings = {
        "productiv": {
            "api_url": track.api_url,
            "token_url": f"{track.api_url}/oauth2/token",
            "client_id": "sandbox",
            "client_secret": "sandbox-secret",
        },
        "kafka": {
            "bootstrap_servers": track.loaded.bootstrap,
            "group_prefix": prefix,
            "create_topics": False,
        },
        "sinks": {STREAM: sink},
        "http": {"host": "127.0.0.1", "port": 0},
    }
    return _merged(settings, changes), f"{prefix}.{STREAM}"


def _merged(settings: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for name, value in changes.items():
        merged[name] = _merged(merged.get(name, {}), value) if isinstance(value, Mapping) else value
    return merged


def _has_a_port(line: str) -> bool:
    """The process by itself when it has started, or the supervisor of workers before they do."""
    return line.startswith("{") and "operations_port" in json.loads(line)


def _is_started(line: str) -> bool:
    return line.startswith("{") and json.loads(line).get("event") == "started"


def _check(track: Track, books: dict[str, int], group: str) -> None:
    events, loaded = track.job.events, track.loaded
    nothing = {"dead_lettered": 0, "superseded": 0, "handed_over": 0, "outstanding": 0}
    same("books", books, {"received": events, "delivered": events, **nothing})
    with Group(loaded.bootstrap, group, loaded.topic, track.job.partitions) as seen:
        same("offsets committed", seen.committed(), events)
    same("dead letters", records_on(loaded.bootstrap, loaded.dead_letters), 0)
