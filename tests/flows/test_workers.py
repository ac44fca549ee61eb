"""Several workers on one machine: they share a topic, die and are replaced, and end together."""

import os
import signal
from pathlib import Path

import pytest

from tests.flows.process import BridgeProcess, balanced, eventually
from tests.flows.setting import Stage, usage

APPS = ("crm", "wiki", "payroll")


def pids(bridge: BridgeProcess) -> dict[int, int]:
    """The process of each worker, as it was begun last."""
    return {line["worker"]: line["pid"] for line in bridge.logged("worker_started")}


def gone(pid: int) -> bool:
    """Whether there is no such process."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")  # where nobody collects orphans they stay, as zombies
        return stat.exists() and stat.read_text().rpartition(") ")[2].startswith("Z")
    except (ProcessLookupError, FileNotFoundError):
        return True


def shared(bridge: BridgeProcess) -> bool:
    """Whether each of two workers has two of the four partitions, and says that it is ready."""
    has = [bridge.metric("bridge_assigned_partitions", stream="usage", worker=worker) for worker in "01"]
    return has == [2, 2] and bridge.status("/readyz")[0] == 200


def produced(stage: Stage, begin: int, count: int) -> None:
    stage.produce(usage(n, APPS[n % 3]) for n in range(begin, begin + count))


@pytest.mark.real_kafka
def test_workers_share_the_work_and_one_that_is_killed_is_replaced(real_stage: Stage) -> None:
    stage = real_stage
    bridge = stage.bridge(workers=2).start()
    eventually(lambda: shared(bridge), "each has its partitions")
    produced(stage, 0, 2_000)
    stage.delivered(2_000)
    eventually(lambda: bridge.books()["outstanding"] == 0, "all settled")
    assert stage.duplicates() == 0
    assert all(bridge.metric("bridge_records_delivered_total", worker=worker) for worker in "01")
    assert balanced(bridge.books())
    assert bridge.status("/healthz") == (200, {"alive": True, "workers": {"0": True, "1": True}})

    before = pids(bridge)
    os.kill(before[1], signal.SIGKILL)
    eventually(lambda: pids(bridge)[1] != before[1], "another takes its place")
    assert bridge.logged("worker_ended")[0]["code"] == -signal.SIGKILL
    produced(stage, 2_000, 1_000)
    eventually(lambda: shared(bridge), "each has its partitions again")
    produced(stage, 3_000, 1_000)
    stage.delivered(4_000)
    assert pids(bridge)[0] == before[0]

    assert bridge.stop() == 0
    assert stage.accepted() == set(range(4_000))
    assert not stage.buried()
    assert stage.committed() == 4_000
    assert {line.get("worker") for line in bridge.logged("stopped")} == {0, 1, None}
    assert all(map(gone, [*before.values(), *pids(bridge).values()]))


def test_workers_end_when_their_supervisor_is_killed(mock_stage: Stage) -> None:
    bridge = mock_stage.bridge(workers=2).start()
    eventually(lambda: bridge.status("/readyz")[0] == 200, "both are ready")
    produced(mock_stage, 0, 500)
    mock_stage.delivered(500)
    bridge.kill()
    try:
        eventually(lambda: all(map(gone, pids(bridge).values())), "no worker is left")
    finally:
        for pid in pids(bridge).values():
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)
    assert {line["worker"] for line in bridge.logged("supervisor_gone")} == {0, 1}
    assert {line["worker"] for line in bridge.logged("stopped")} == {0, 1}
