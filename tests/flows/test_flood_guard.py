"""A flood of bad records stops the stream in each process, and an operator lets it go on."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.flows.process import BridgeProcess, balanced, eventually
from tests.flows.setting import Stage, usage

pytestmark = pytest.mark.real_kafka

RECORDS, LIMIT = 8_000, 500


def tripped(bridge: BridgeProcess) -> bool:
    """Whether it is stopped, and has nothing under way."""
    metric, labels = "bridge_flood_guard_tripped", {"stream": "usage", "limit": "consecutive"}
    under_way = bridge.metric("bridge_requests_in_flight", stream="usage")
    return bridge.metric(metric, **labels) == 1 and not under_way


def soon_all(bridges: list[BridgeProcess], holds: Callable[[BridgeProcess], bool]) -> None:
    eventually(lambda: all(map(holds, bridges)), "it holds for each of them")


def resume(bridge: BridgeProcess) -> str:
    command = [sys.executable, "-m", "bridge", "resume", "usage", "--config", str(bridge.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_a_stopped_stream_goes_on_when_told_and_stops_again_while_the_cause_is_there(
    real_stage: Stage,
) -> None:
    stage = real_stage
    stage.decisions = stage.kafka.create_topic("decisions", 1, cleanup_policy="compact")
    stage.fault(kind="poison", marker="poison", per_item=True)
    batch, guard = {"max_records": 100, "max_age_seconds": 0.5}, {"consecutive": LIMIT}
    bridges = [stage.bridge(batch=batch, flood_guard=guard).start() for _ in range(2)]
    soon_all(bridges, lambda each: each.metric("bridge_assigned_partitions") == 2)
    stage.produce([usage(n, eventName="poison") for n in range(RECORDS)])

    for times in (1, 2):
        soon_all(bridges, lambda each: len(each.logged("resume_awaited")) == times and tripped(each))  # noqa: B023
        for bridge in bridges:
            status, answer = bridge.status("/readyz")
            assert status == 503
            # A batch is refused as a whole, so it may be a few more than the limit.
            why = r"usage: flood guard: \d+ records in a row were refused \(limit 500\)"
            assert any(re.fullmatch(why, reason) for reason in answer["reasons"])
            assert bridge.status("/healthz")[0] == 200
            assert balanced(bridge.books())
        eventually(lambda: len(stage.buried()) == dead(bridges), "the dead letters are written")
        assert len(stage.buried()) < times * len(bridges) * LIMIT
        assert stage.distinct() == 0
        if times == 2:
            stage.clear_faults()
        assert "cannot be seen from here" in resume(bridges[0])

    buried = stage.buried()
    assert 0 < len(buried) == len({message.key() for message in buried})
    stage.delivered(RECORDS - len(buried))
    soon_all(bridges, lambda each: each.books()["outstanding"] == 0 and each.status("/readyz")[0] == 200)
    for bridge in bridges:
        assert len(bridge.logged("flood_guard_tripped")) == len(bridge.logged("flood_guard_reset")) == 2
        assert bridge.metric("bridge_flood_guard_tripped") == 0
        assert balanced(bridge.books())
        assert bridge.books()["handed_over"] == 0
    eventually(lambda: stage.committed() == RECORDS, "all are committed")
    assert sum(bridge.books()["received"] for bridge in bridges) == RECORDS
    assert (stage.distinct(), stage.duplicates()) == (RECORDS - len(buried), 0)
    assert [bridge.stop() for bridge in bridges] == [0, 0]


def dead(bridges: list[BridgeProcess]) -> int:
    return sum(bridge.books()["dead_lettered"] for bridge in bridges)
