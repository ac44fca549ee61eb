"""Section: audit events, from a trail that is there already to their topic, in transactions with cursors."""

import json
import secrets
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import yaml
from confluent_kafka import Consumer, TopicPartition

from tests.bench.api import serving
from tests.bench.audit_server import PAGE, STEP
from tests.bench.chapter import Chapter
from tests.bench.committed import same
from tests.bench.figures import Spread
from tests.bench.ground import Ground, console, progress
from tests.bench.job import Format
from tests.bench.tables import grid, mib, shown, spread
from tests.bench.track import RUN_SECONDS, START_SECONDS
from tests.bench.watched import Watched

SOURCE = "audit_events"
COLUMNS = ("wire format", "`max_window_events`", "events/s", "CPU µs/event", "peak MiB", "pages asked for")
QUIET_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Round:
    """One run: events a second from the first question to the end, CPU microseconds per event, bytes."""

    rate: float
    cpu_micros: float
    peak: int
    pages: int


@dataclass(frozen=True, slots=True)
class Sources:
    """All runs, by wire format and how many events go out in one transaction."""

    events: int
    runs: Mapping[tuple[Format, int], Sequence[Round]]


def measure(
    ground: Ground, events: int, rounds: int, formats: Sequence[Format], windows: Sequence[int]
) -> Sources:
    """Polls the whole trail again and again, each time onto a topic of its own."""
    begin = (round(time.time()) * 1000) - (events + 1) * STEP - 3_600_000  # all an hour old at least
    runs: dict[tuple[Format, int], list[Round]] = {turn: [] for turn in product(formats, windows)}
    with progress(events) as show:
        for number in range(1, rounds + 1):
            for (format, window), done in runs.items():
                step = f"round {number} of {rounds}: {format}, {window:,}"
                show(step, 0)
                done.append(_round(ground, events, begin, format, window))
                show(step, events)
    found = Sources(events, runs)
    console.print(shown("audit events", COLUMNS, _rows(found)))
    return found


def _round(ground: Ground, events: int, begin: int, format: Format, window: int) -> Round:
    """One `productiv-bridge run --once`, of a server of its own, which tells when it was asked first."""
    topic = ground.kafka.create_topic("bench-audit-events", 6)
    cursors = ground.kafka.create_topic("bench-cursors", 1, cleanup_policy="compact")
    server = [sys.executable, "-m", "tests.bench.audit_server", str(events), str(begin)]
    with serving(server, ground.folder / "audit_server.log") as url:
        config = ground.folder / "source.yaml"
        settings = _settings(ground.kafka.bootstrap, url, topic, cursors, begin)
        settings["sources"][SOURCE] |= {"format": format.value, "max_window_events": window}
        config.write_text(yaml.safe_dump(settings))
        command = [sys.executable, "-m", "bridge", "run", "--once", "--only", SOURCE, "--config", str(config)]
        with Watched(command, ground.folder / "source.log") as process:
            process.wait_for(_is_owned, START_SECONDS)
            process.ready()
            usage = process.end(RUN_SECONDS)
            ended = time.monotonic()
        with urllib.request.urlopen(f"{url}/asked", timeout=30) as answer:
            first_asked, pages = json.load(answer)
    same("events on the topic, each once", _distinct(ground.kafka.bootstrap, topic), (events, events))
    return Round(events / (ended - first_asked), usage.cpu_seconds / events * 1e6, usage.peak, pages)


def _settings(bootstrap: str, api_url: str, topic: str, cursors: str, begin: int) -> dict[str, Any]:
    """Defaults, but for addresses, names and the begin, and without a limit of requests."""
    return {
        "productiv": {
            "api_url": api_url,
            "token_url": f"{api_url}/oauth2/token",
            "client_id": "sandbox",
            "client_secret": "sandbox-secret",
            "export_requests_per_second": None,
        },
        "kafka": {
            "bootstrap_servers": bootstrap,
            "group_prefix": f"bench-{secrets.token_hex(4)}",
            "create_topics": False,
            "cursors_topic": cursors,
        },
        "sources": {
            SOURCE: {
                "enabled": True,
                "topics": {SOURCE: topic},
                "start": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin // 1000)),
            }
        },
    }


def _is_owned(line: str) -> bool:
    return line.startswith("{") and json.loads(line).get("event") == "source_owned"


def _distinct(bootstrap: str, topic: str) -> tuple[int, int]:
    """How many records were committed to the topic, and with how many keys: an event's id is its key."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"bench-{secrets.token_hex(4)}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    keys: set[bytes | None] = set()
    records = 0
    parts = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in parts])
    ended: set[int | None] = set()
    try:
        until = time.monotonic() + QUIET_SECONDS
        while len(ended) < len(parts) and time.monotonic() < until:
            for message in consumer.consume(5_000, 0.5):
                until = time.monotonic() + QUIET_SECONDS
                if message.error() is not None:  # the end of a partition
                    ended.add(message.partition())
                else:
                    records += 1
                    keys.add(message.key())
    finally:
        consumer.close()
    return records, len(keys)


def chapter(found: Sources, command: str, machine: Mapping[str, str], load: float) -> Chapter:
    """As it stands on the page."""
    rounds = len(next(iter(found.runs.values())))
    text = f"""\
## Sources

{found.events:,} audit events are on the trail of a server that only cuts pages of {PAGE} out of it, and one
`productiv-bridge run --once --only {SOURCE}` with default settings, but without a limit of requests, takes
them to a topic: asked for, read, told from those that went out, written and committed in transactions with
the cursor. Events a second count from the first question to the end of the process. After each round the
topic must hold every event once. About `max_window_events` go out in one transaction. Rounds: {rounds}.

{grid(COLUMNS, _rows(found))}"""
    figures = [[*turn, *map(asdict, runs)] for turn, runs in found.runs.items()]
    return Chapter("sources", command, machine, load, text, figures)


def _rows(found: Sources) -> list[list[str]]:
    return [
        [
            format,
            f"{window:,}",
            spread(Spread.of([run.rate for run in runs]), ",.0f"),
            spread(Spread.of([run.cpu_micros for run in runs]), ".1f"),
            mib(Spread.of([run.peak for run in runs]).median),
            f"{Spread.of([run.pages for run in runs]).median:.0f}",
        ]
        for (format, window), runs in found.runs.items()
    ]
