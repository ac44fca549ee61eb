"""One run of `productiv-bridge run` over a job's topic, held against its own books."""

import json
import secrets
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from tests.bench.job import Job
from tests.bench.load import Loaded
from tests.bench.watched import BenchFailed, Usage, Watched

STREAM = "usage"

START_SECONDS = 60.0
RUN_SECONDS = 900.0  # a million events at a thousandth of a second each, nearly
STOP_SECONDS = 60.0

Progress = Callable[[int], None]
"""Told how many events are done."""


@dataclass(frozen=True, slots=True)
class Track:
    """What every contestant gets: the job on its topic, an API, and a folder for files."""

    job: Job
    loaded: Loaded
    api_url: str
    folder: Path


def run_bridge(
    track: Track, arrived: Callable[[], int], progress: Progress, checkout: Path | None
) -> tuple[Usage, float]:
    """`productiv-bridge run` as anyone would start it, of this checkout or another, until all has come.

    `arrived` asks the API how many events it has. Returns what the process used, and the monotonic second
    of its start.

    Raises:
        BenchFailed: something is missing, too much, refused, or not committed.
    """
    settings, group = _settings(track)
    config = track.folder / "bridge.yaml"
    config.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "bridge", "run", "--only", STREAM, "--config", str(config)]
    with Watched(command, track.folder / "bridge.log", checkout) as process:
        started = json.loads(process.wait_for(_is_started, START_SECONDS))
        process.ready()

        def all_arrived() -> bool:
            progress(done := arrived())
            return done >= track.job.events

        process.wait_until(all_arrived, RUN_SECONDS)
        books: dict[str, int] = {}

        def settled() -> bool:
            books.update(_books(started["operations_port"]))
            return books["outstanding"] == 0

        process.wait_until(settled, STOP_SECONDS)
        usage = process.stop(STOP_SECONDS)
    _check(track, books, group)
    same("events at the API", arrived(), track.job.events)
    return usage, process.began


def _settings(track: Track) -> tuple[dict[str, Any], str]:
    """Defaults, but for addresses and names; and the consumer group that follows from it."""
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
    return settings, f"{prefix}.{STREAM}"


def _is_started(line: str) -> bool:
    return line.startswith("{") and json.loads(line).get("event") == "started"


def _books(operations_url: str) -> dict[str, int]:
    """The columns of the bridge's books, as its metrics show them."""
    with urllib.request.urlopen(f"{operations_url}/metrics/", timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
    values = {sample.name: int(sample.value) for sample in samples if sample.labels == {"stream": STREAM}}
    columns = ("received", "delivered", "dead_lettered", "superseded", "handed_over")
    books = {column: values[f"bridge_records_{column}_total"] for column in columns}
    return books | {"outstanding": values["bridge_records_outstanding"]}


def _check(track: Track, books: dict[str, int], group: str) -> None:
    events, loaded = track.job.events, track.loaded
    nothing = {"dead_lettered": 0, "superseded": 0, "handed_over": 0, "outstanding": 0}
    same("books", books, {"received": events, "delivered": events, **nothing})
    consumer = Consumer({"bootstrap.servers": loaded.bootstrap, "group.id": group})
    try:
        parts = [TopicPartition(loaded.topic, number) for number in range(track.job.partitions)]
        committed = sum(part.offset for part in consumer.committed(parts, timeout=30))
        _, dead = consumer.get_watermark_offsets(TopicPartition(loaded.dead_letters, 0), timeout=30)
    finally:
        consumer.close()
    same("offsets committed", committed, events)
    same("dead letters", dead, 0)


def same(what: str, found: object, wanted: object) -> None:
    """Fails loudly.

    Raises:
        BenchFailed: something is not what it should be.
    """
    if found != wanted:
        raise BenchFailed(f"{what}: {found} where {wanted} should be")
