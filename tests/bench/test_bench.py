"""The benchmark itself works: it delivers, verifies and reports. How fast is nobody's business here."""

import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.config.sinks import Batch, Sink
from tests.bench import api, machine, throughput
from tests.bench.api import Counting
from tests.bench.arrivals import Arrivals
from tests.bench.bridge_run import BRIDGE
from tests.bench.chapter import Chapter, all_kept, page, write_page
from tests.bench.contestants import DOES, FLOOR, FLOOR_AND_POST, contestants
from tests.bench.counting_server import Manner
from tests.bench.figures import Measured
from tests.bench.goals import goals
from tests.bench.installed import NAMES, PEERS, PYTHON_PEERS, LeftOut, python_peer
from tests.bench.job import Format, Job
from tests.bench.least import BATCH_SECONDS, Poster
from tests.bench.peer_run import MOST_HELD, gathered
from tests.bench.rounds import run
from tests.bench.throughput import Throughput
from tests.bench.watched import BenchFailed, Sample, Usage, Watched
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark reads /proc")


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    with api.counting(tmp_path) as server:
        yield server


@linux_only
@pytest.mark.real_kafka
@pytest.mark.parametrize("format", Format)
def test_a_small_job_is_measured_verified_and_reported(
    kafka: Cluster[Broker], tmp_path: Path, format: Format
) -> None:
    shown: dict[str, int] = {}
    # Two apps, so that batches are full and none waits for its age.
    job = Job(2_000, 2, 3, format)
    result = run(kafka, job, 1, tmp_path, shown.__setitem__, contestants())
    assert [summary.name for summary in result.summaries] == [FLOOR, FLOOR_AND_POST, BRIDGE]
    assert set(shown.values()) == {2_000}
    assert result.verified is not None
    assert (result.verified.distinct, result.verified.duplicates) == (2_000, 0)
    assert result.verified.largest_batch == 1_000
    bridge = result.summaries[-1]
    assert bridge.cpu_micros.median > 0
    assert bridge.peak.median >= max(at.median for at in bridge.memory) > 10_000_000

    about = machine.described(kafka.broker)
    found = Throughput([result], {"quixstreams": "1"}, {"Arroyo": "there is no network"})
    throughput.chapter(found, "make bench", about, 0.5).keep(tmp_path / "kept")
    write_page(all_kept(tmp_path / "kept"), tmp_path / "benchmarks.md")
    written = (tmp_path / "benchmarks.md").read_text()
    assert f"### 2,000 usage events, {format}" in written
    assert f"| {BRIDGE} | yes | yes | yes | yes | yes |" in written
    assert "- Arroyo is left out: there is no network" in written
    assert f"- librdkafka: {about['librdkafka']}" in written
    for image in (throughput.CPU_IMAGE, throughput.DONE_IMAGE):
        assert f"(images/benchmarks/{image})" in written
        assert BRIDGE in (tmp_path / "images" / "benchmarks" / image).read_text()


@linux_only
@pytest.mark.real_kafka
def test_a_peer_that_fails_is_left_out_and_the_reason_told(kafka: Cluster[Broker], tmp_path: Path) -> None:
    def fails(*_: object) -> None:
        raise BenchFailed("it lost an event")

    turns = {FLOOR: contestants()[FLOOR], "a peer": fails}
    job = Job(100, 1, 1, Format.JSON)
    result = run(kafka, job, 2, tmp_path, lambda *_: None, turns, verified=False)  # type: ignore[arg-type]
    assert [summary.name for summary in result.summaries] == [FLOOR]
    assert result.failed == {"a peer": "it failed in round 1: it lost an event"}
    assert "a peer has no figures: it failed in round 1: it lost an event." in throughput.verdict(result)


def test_peers_may_hold_and_wait_as_the_bridge_may() -> None:
    assert Batch().max_age_seconds == BATCH_SECONDS
    assert Sink.model_fields["max_outstanding_records"].default == MOST_HELD


def test_versions_are_told_once() -> None:
    first = Chapter("throughput", "make bench", {"Python": "3", "quixstreams": "1"}, 0.1, "", {})
    second = Chapter("scale", "make bench", {"Python": "3", "orjson": "2"}, 0.1, "", {})
    written = page([first, second])
    assert written.count("- Python: 3") == 1
    assert "- orjson: 2" in written


@pytest.mark.parametrize("format", Format)
def test_no_two_events_of_a_job_are_alike_and_each_partition_has_every_app(format: Format) -> None:
    job = Job(events=960, apps=8, partitions=6, format=format)
    dealt = list(job.values())
    assert len({value for _, value in dealt}) == 960
    if format is Format.JSON:
        assert len({(partition, json.loads(value)["app"]) for partition, value in dealt}) == 48


def test_a_job_of_full_batches_has_no_fewer_events() -> None:
    jobs = [Job.of_full_batches(400_000, apps, 6, Format.JSON) for apps in (1, 8, 500)]
    assert [job.events for job in jobs] == [400_000, 400_000, 500_000]
    assert [gathered(job) for job in jobs] == [1_000, 8_000, 100_000]


@linux_only
def test_a_process_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('it hurts'); raise SystemExit(3)"]
    with Watched(command, tmp_path / "log") as process, pytest.raises(BenchFailed, match="it hurts"):
        process.wait_for(lambda line: line == "never", 30)


@linux_only
def test_the_server_counts_each_event_of_each_batch_once(counting: Counting) -> None:
    poster = Poster(counting.url)
    event = {"app": "a", "timestamp": 1, "email": "a@example.com", "eventName": "signed_in", "more": "x"}
    poster.add([event] * 2_300)
    assert counting.events() == 2_000
    poster.flush()
    poster.flush()
    assert counting.arrivals().totals == [1_000, 2_000, 2_300]
    counting.forget()
    assert counting.arrivals() == Arrivals()


@linux_only
def test_the_server_is_late_or_refuses_where_it_is_told_to(counting: Counting) -> None:
    poster = Poster(counting.url)
    event = {"app": "a", "timestamp": 1, "email": "a@example.com", "eventName": "signed_in"}
    counting.behave(Manner(status=503))
    poster.add([event])
    with pytest.raises(OSError, match="503"):
        poster.flush()
    assert counting.events() == 0
    counting.behave(Manner(delay=0.2))
    begun = time.monotonic()
    poster.flush()
    assert time.monotonic() - begun >= 0.2
    assert counting.events() == 1


def test_a_delay_ends_with_the_batch_that_the_event_came_in() -> None:
    arrivals = Arrivals([10.0, 11.0, 15.0], [1, 1, 3])  # the second batch was empty
    assert arrivals.delays([9.0, 9.5, 14.0]) == [1.0, 5.5, 1.0]
    with pytest.raises(ValueError, match="4 events were sent and 3 came"):
        arrivals.delays([0.0] * 4)


def test_what_was_done_before_it_was_ready_has_no_part_in_the_time() -> None:
    arrivals = Arrivals([1.0, 2.0, 3.0], [10, 20, 30])
    samples = [Sample(0.0, 1)]
    assert Measured.of(arrivals, Usage(1.0, 1, samples, before=10), 0.0).cpu_micros == 1e6 / 20
    assert math.isnan(Measured.of(arrivals, Usage(1.0, 1, samples, before=30), 0.0).cpu_micros)


def test_sections_that_never_ran_are_not_on_the_page(tmp_path: Path) -> None:
    Chapter("scale", "make bench", {"Python": "3"}, 0.1, "## Scale", {}).keep(tmp_path)
    assert [chapter.name for chapter in all_kept(tmp_path)] == ["scale"]


def test_the_page_says_how_near_the_goals_are() -> None:
    def ran(cpu_micros: float, rate: float) -> list[dict[str, float]]:
        return [{"cpu_micros": cpu_micros, "rate": rate}] * 3

    def job(apps: int, cpu_micros: float) -> dict[str, object]:
        runs = {
            FLOOR: ran(2.0, 900.0),
            FLOOR_AND_POST: ran(3.0, 800.0),
            BRIDGE: ran(cpu_micros, 300.0),
            "cheap": ran(2.5, 400.0),
            "quick": ran(8.0, 600.0),
        }
        return {"job": {"format": "json", "apps": apps}, "runs": runs}

    said = goals({"results": [job(1, 5.0), job(8, 10.0)]})
    assert "| json, 1 app | 2.50 | 2.00 (cheap) | 0.50 (quick) |" in said
    assert "In json an event with 8 apps costs 2.0 times that with 1." in said
    assert goals({"results": [{"runs": {FLOOR: [], BRIDGE: []}}]}) == ""


def test_what_each_contestant_does_is_told() -> None:
    assert set(DOES) == {FLOOR, FLOOR_AND_POST, BRIDGE, *NAMES}


@pytest.mark.parametrize("name", PYTHON_PEERS)
def test_each_peer_is_pinned_in_its_lock(name: str) -> None:
    module, packages = PYTHON_PEERS[name]
    lock = (PEERS / f"{module}.txt").read_text()
    assert all(f"\n{package}==" in lock for package in packages)
    assert "://" not in lock.replace("https://pypi.org", "")


def test_a_peer_that_cannot_be_installed_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.bench.installed.CACHE", tmp_path)
    monkeypatch.setattr("tests.bench.installed._failure", lambda *_: "no network")
    assert python_peer("quix", ["quixstreams"]) == LeftOut("it cannot be installed: no network")
