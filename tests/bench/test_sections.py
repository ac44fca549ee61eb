"""Each section runs, on a small scale, and its chapter says what it found."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.bench import latency, scale, sources, steps
from tests.bench.__main__ import app
from tests.bench.audit_server import PAGE, STEP, AuditServer, page
from tests.bench.bars import Bar, Panel, svg
from tests.bench.chapter import SECTIONS
from tests.bench.ground import Ground
from tests.bench.job import Format
from tests.bench.scale import Backlog, Scale
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

on_real_kafka = pytest.mark.real_kafka
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark reads /proc")
BEGIN = 1_767_225_600_000  # 2026-01-01
ABOUT: tuple[str, dict[str, str], float] = ("make bench", {"Python": "3"}, 0.5)


@pytest.fixture
def ground(kafka: Cluster[Broker], tmp_path: Path) -> Ground:
    return Ground(kafka, tmp_path)


def test_steps() -> None:
    found = steps.measure(2_000, [1, 2], [Format.JSON, Format.AVRO], 1)
    assert list(found) == ["json, 1 app", "json, 2 apps", "avro, 1 app", "avro, 2 apps"]
    for spent in found.values():
        assert all(spent[step] > 0 for step in steps.COLUMNS[1:])
        assert sum(spent[part] for part in steps.PARTS) > spent["settle"]
    assert all(each[steps.PACKED] < each[steps.BODY] for each in found.values())
    text = steps.chapter(found, *ABOUT).text
    assert text.count("| json, 1 app |") == 2


@linux_only
@on_real_kafka
def test_latency(ground: Ground) -> None:
    plan = latency.Plan(8_000, 0.01, [4], 100, 2, [1.0])
    found = latency.measure(ground, plan)
    assert [pace.batch for pace in found.slow_api] == [1_000]
    assert found.limited.allowed == 100_000
    # Not how late they were, which a busy machine decides, but that each is told of.
    assert [len(trickle.delays) for trickle in found.trickles] == [2]
    text = latency.chapter(found, *ABOUT).text
    assert "| 4 in flight |" in text
    assert "| 100 requests a second |" in text


@linux_only
@on_real_kafka
def test_scale(ground: Ground) -> None:
    plan = scale.Plan(1_000, 1, [2], [], [1, 2], backlog=3_000, down_seconds=2.0)
    found = scale.measure(ground, plan)
    assert found.backlog is not None
    assert found.backlog.held == 3_000
    assert found.backlog.peak >= found.backlog.peak_while_down > 10_000_000
    text = scale.chapter(found, *ABOUT).text
    assert "| 2 partitions | productiv-bridge |" in text
    assert "| productiv-bridge, 2 workers |" in text
    assert "| 3,000 | 3,000 |" in text


def test_a_scale_without_a_backlog_says_nothing_of_one() -> None:
    plan = scale.Plan(1_000, 1, [], [], [], 0, 1.0)
    assert "backlog" not in scale.chapter(Scale(plan, [], [], None, None), *ABOUT).text
    backlog = Backlog(10_000_000, 100_000, 2**28, 2**29)
    assert (
        "| 10,000,000 | 100,000 | 256 | 512 |"
        in scale.chapter(Scale(plan, [], [], None, backlog), *ABOUT).text
    )


@linux_only
@on_real_kafka
def test_sources(ground: Ground) -> None:
    found = sources.measure(ground, 1_200, 1, [Format.JSON], [2_000])
    [run] = found.runs[Format.JSON, 2_000]
    assert run.pages >= 3
    assert "| json | 2,000 |" in sources.chapter(found, *ABOUT).text


def test_pages_hold_each_event_of_a_window_once() -> None:
    server = AuditServer(1_200, BEGIN)
    window = "/audit-events?startTime=2026-01-01T00:00:10Z&endTime=2026-01-01T00:09:50Z"
    seen, more = [], ""
    while True:
        answer = json.loads(server.serve(b"GET", (window + more).encode(), b"").body)
        seen += [event["eventId"] for event in answer["events"]]
        assert len(answer["events"]) <= PAGE
        if "nextPageToken" not in answer:
            break
        more = f"&nextPageToken={answer['nextPageToken']}"
    assert seen == [f"event-{number:010d}" for number in range(10_000 // STEP, 590_000 // STEP)]


def test_a_window_behind_the_trail_is_empty() -> None:
    assert page([b"{}"], 1, 1) == b'{"events":[]}'


def test_bars_are_as_long_as_their_figures() -> None:
    drawn = svg("CPU <time>", [Panel("a job", [Bar("a", 2.0, 1.0, 4.0), Bar("b", 1.0, 1.0, 1.0)])], ".1f")
    widths = [line.partition('width="')[2].partition('"')[0] for line in drawn.split("<rect x=")[1:]]
    assert float(widths[0]) == 2 * float(widths[1])
    assert "CPU &lt;time&gt;" in drawn


def test_every_section_is_a_command_with_its_options() -> None:
    for section in (*SECTIONS, "all", "quick", "peers", "page"):
        shown = CliRunner().invoke(app, [section, "--help"])
        assert shown.exit_code == 0, section
