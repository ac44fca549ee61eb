"""The benchmark itself works: it delivers, verifies and reports. How fast is nobody's business here."""

import json
import sys
from pathlib import Path

import pytest

from tests.bench import machine, report
from tests.bench.contestants import BRIDGE, FLOOR, FLOOR_AND_POST
from tests.bench.job import Format, Job
from tests.bench.rounds import run
from tests.bench.watched import BenchFailed, Watched
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark reads /proc")


@linux_only
@pytest.mark.real_kafka
@pytest.mark.parametrize("format", Format)
def test_a_small_job_is_measured_verified_and_reported(
    kafka: Cluster[Broker], tmp_path: Path, format: Format
) -> None:
    shown: dict[str, int] = {}
    # Two apps, so that batches are full and none waits for its age.
    result = run(kafka, Job(2_000, 2, 3, format), 1, tmp_path, shown.__setitem__)
    assert [summary.name for summary in result.summaries] == [FLOOR, FLOOR_AND_POST, BRIDGE]
    assert set(shown.values()) == {2_000}
    assert (result.verified.distinct, result.verified.duplicates) == (2_000, 0)
    assert result.verified.largest_batch == 1_000
    bridge = result.summaries[-1]
    assert bridge.cpu_micros.median > 0
    assert bridge.peak.median >= max(at.median for at in bridge.memory) > 10_000_000

    about = machine.described(kafka.broker)
    page = report.markdown([result], about, 0.5, "make bench")
    assert f"## 2,000 usage events, {format}" in page
    assert f"| {BRIDGE} |" in page
    assert about["librdkafka"] in page
    assert json.loads(json.dumps(report.as_json([result], about, "make bench")))["results"]


@pytest.mark.parametrize("format", Format)
def test_no_two_events_of_a_job_are_alike_and_each_partition_has_every_app(format: Format) -> None:
    job = Job(events=960, apps=8, partitions=6, format=format)
    dealt = list(job.values())
    assert len({value for _, value in dealt}) == 960
    if format is Format.JSON:
        assert len({(partition, json.loads(value)["app"]) for partition, value in dealt}) == 48


@linux_only
def test_a_process_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('it hurts'); raise SystemExit(3)"]
    with Watched(command, tmp_path / "log") as process, pytest.raises(BenchFailed, match="it hurts"):
        process.wait_for(lambda line: line == "never", 30)
