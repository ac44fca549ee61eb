"""Sources on real Kafka, through kills, stalls and a lying API: read by a consumer of committed records."""

import subprocess
import sys
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridge.sandbox import AuditPlan, PortfolioPlan, SandboxConfig, WorkflowPlan
from tests.flows.conftest import staged_sources
from tests.flows.process import BridgeProcess, eventually
from tests.flows.source_setting import SourceStage
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

pytestmark = pytest.mark.real_kafka

LIMIT = 120.0  # requests a second that the sandbox allows, so that a test need not take minutes
OURS = 100.0
OVERLAP = {"audit_events": {"overlap_minutes": 1}}
LATE_SECONDS = 10.0  # safely within the overlap
BAD_PAGES: list[dict[str, Any]] = [
    {"kind": "status", "status": 500, "share": 0.02},
    {"kind": "status", "status": 429, "retry_after": 1, "times": 5, "share": 0.02},
    {"kind": "reset", "share": 0.01},
    {"kind": "cut", "share": 0.01},
    {"kind": "malformed_json", "share": 0.01},
    {"kind": "wrong_root", "share": 0.01},
    {"kind": "repeat_token", "times": 5, "share": 0.05},  # each ends a round
    {"kind": "latency", "seconds": 0.0, "jitter": 0.02},
]


def audit_ids(stage: SourceStage) -> list[str]:
    return [key for key, _ in stage.read("audit_events")]


def has(stage: SourceStage, output: str, records: int) -> bool:
    return len(stage.read(output)) >= records


def rounds(bridge: BridgeProcess, result: str = "done") -> float:
    return bridge.metric("bridge_rounds_total", result=result)


def owns(bridge: BridgeProcess, sources: int) -> bool:
    """Whether it is the one that polls so many sources."""
    return bridge.metric("bridge_source_owned") == sources


def two_more_rounds(bridge: BridgeProcess) -> None:
    """A whole round has gone by since this was asked for."""
    before = rounds(bridge)
    eventually(lambda: rounds(bridge) >= before + 2, "two more rounds")


def exactly_once(stage: SourceStage, total: int) -> None:
    """Every event of the trail is on the topic, and none twice."""
    ids = audit_ids(stage)
    assert [key for key, count in Counter(ids).items() if count > 1] == []
    assert set(ids) == {event["eventId"] for event in stage.content("audit-events")}
    assert len(ids) == total


def test_100_000_audit_events_go_out_once_each_through_kills_page_faults_and_late_arrivals(
    kafka: Cluster[Broker], tmp_path: Path
) -> None:
    total, kills = 100_000, 5
    plan = AuditPlan(per_second=500, history_events=80_000, total=total, late_seconds=LATE_SECONDS)
    random = Random(4)
    with staged_sources(kafka, tmp_path, SandboxConfig(audit_events=plan, export_rate_limit=LIMIT)) as stage:
        for fault in BAD_PAGES:
            stage.fault(operation="get_audit_events", **fault)
        bridge = stage.bridge("audit_events", requests_per_second=OURS, of=OVERLAP)
        for kill in range(kills):
            bridge.start()
            part = total // (kills + 2)  # somewhere within a round, a page, a transaction
            mark = kill * part + random.randrange(part)
            eventually(partial(has, stage, "audit_events", mark), f"{mark} events on the topic", 240)
            bridge.kill()
        bridge.start()
        eventually(partial(has, stage, "audit_events", total), f"{total} events on the topic", 240)
        stage.clear_faults()
        two_more_rounds(bridge)
        assert bridge.stop() == 0
        exactly_once(stage, total)
        assert stage.violations() == 0


def test_two_replicas_that_fight_over_the_sources_write_each_record_once(
    kafka: Cluster[Broker], tmp_path: Path
) -> None:
    total = 30_000
    sandbox = SandboxConfig(
        audit_events=AuditPlan(per_second=600, history_events=9_000, total=total, late_seconds=LATE_SECONDS),
        workflows=WorkflowPlan(workflows=2, executions=40, users=(0, 3)),
        portfolio=PortfolioPlan(apps=30),
        export_rate_limit=LIMIT,
    )
    once = {"executions": 40, "workflows": 2, "apps": 30}
    random = Random(5)
    with staged_sources(kafka, tmp_path, sandbox) as stage:
        first, second = (
            stage.bridge("audit_events", *once, requests_per_second=OURS / 2, of=OVERLAP).start()
            for _ in range(2)
        )
        for turn in range(6):
            victim, other = (first, second)[:: (1, -1)[turn % 2]]
            before = len(audit_ids(stage))
            if turn % 3 == 2:  # a stall until the other has taken everything over; then the zombie wakes
                victim.pause()
                eventually(partial(owns, other, 1 + len(once)), "the other takes over")
                victim.resume()
            else:
                soon = min(before + random.randrange(1_000), total)
                eventually(partial(has, stage, "audit_events", soon), f"{soon} events on the topic")
                victim.kill()
                victim.start()
            eventually(partial(has, stage, "audit_events", min(before + 1, total)), "it goes on")
        for output, records in {"audit_events": total, **once}.items():
            eventually(partial(has, stage, output, records), f"{records} {output}", 240)
        assert {bridge.stop() for bridge in (first, second)} == {0}
        exactly_once(stage, total)
        for output, records in once.items():
            assert sorted(Counter(key for key, _ in stage.read(output)).values()) == [1] * records
        assert stage.violations() == 0


def test_500_executions_yield_exactly_their_transitions_in_order(
    kafka: Cluster[Broker], tmp_path: Path
) -> None:
    plan = WorkflowPlan(workflows=5, executions=500, users=(0, 4))
    sandbox = SandboxConfig(workflows=plan, export_rate_limit=200)
    with staged_sources(kafka, tmp_path, sandbox) as stage:
        bridge = stage.bridge("executions", requests_per_second=180)
        bridge.start()
        moving = True
        while moving:
            # A state that nobody saw is no transition: all move on once the last of them is on the topic.
            states = sum(len(execution["history"]) for execution in stage.content("executions"))
            eventually(partial(has, stage, "executions", states), f"{states} transitions", 240)
            bridge.kill()
            bridge.start()
            moving = bool(stage.tell("executions/step")["moved"])
        two_more_rounds(bridge)
        assert bridge.stop() == 0

        seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for _, record in stage.read("executions"):
            assert record is not None
            seen[record["executionId"]].append(record)
        users: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
        for _, record in stage.read("execution_users"):
            assert record is not None
            users[record["executionId"], record["sequence"]][record["email"]] = _outcomes(record)
        for execution in stage.content("executions"):
            name, history = execution["executionId"], execution["history"]
            assert [each["status"] for each in seen[name]] == [state["status"] for state in history]
            assert [each["sequence"] for each in seen[name]] == list(range(1, len(history) + 1))
            known: dict[str, Any] = {}
            for sequence, state in enumerate(history, start=1):
                now = {user["email"]: _outcomes(user) for user in state["users"]}
                changed = {email: told for email, told in now.items() if known.get(email) != told}
                assert users.get((name, sequence), {}) == changed
                known = now
        assert len(seen) == 500
        assert stage.violations() == 0


def _outcomes(user: dict[str, Any]) -> tuple[Any, Any]:
    return user.get("suggestedOutcome"), user.get("actionedOutcome")


def test_the_portfolio_follows_apps_that_come_change_and_go(kafka: Cluster[Broker], tmp_path: Path) -> None:
    sandbox = SandboxConfig(portfolio=PortfolioPlan(apps=40), export_rate_limit=200)
    with staged_sources(kafka, tmp_path, sandbox) as stage:
        bridge = stage.bridge("apps", requests_per_second=180).start()

        def shown() -> dict[str, Any]:
            return {key: value["appName"] for key, value in stage.latest("apps").items()}

        def held() -> dict[str, Any]:
            return {app["ApplicationId"]: app["AppName"] for app in stage.content("portfolio")}

        eventually(lambda: len(shown()) == 40, "40 apps")
        stage.fault(kind="empty_list", operation="get_app_summaries")
        stage.tell("portfolio/saas-1", {"AppName": "Renamed"}, "PUT")
        stage.tell("portfolio/brand-new", {"AppName": "New"}, "PUT")
        stage.tell("portfolio/saas-2", method="DELETE")
        eventually(lambda: rounds(bridge, "vanished") > 0, "the valve holds")
        assert len(shown()) == 40
        stage.clear_faults()
        bridge.kill()
        bridge.start()
        eventually(lambda: shown() == held(), "what the API holds")
        assert dict(stage.read("apps"))["saas-2"] is None
        assert shown()["saas-1"] == "Renamed"
        # Each app once, and once more for each of the three changes.
        assert len(stage.read("apps")) == 43
        assert bridge.stop() == 0


def command(bridge: BridgeProcess, *words: str) -> subprocess.CompletedProcess[str]:
    """Another process with the same configuration, run to its end."""
    line = [sys.executable, "-m", "bridge", *words, "--config", str(bridge.config)]
    return subprocess.run(line, capture_output=True, text=True, timeout=90)


def test_one_round_for_cron_goes_on_where_the_last_one_ended(kafka: Cluster[Broker], tmp_path: Path) -> None:
    sandbox = SandboxConfig(portfolio=PortfolioPlan(apps=12), export_rate_limit=200)
    with staged_sources(kafka, tmp_path, sandbox) as stage:
        bridge = stage.bridge("apps", requests_per_second=180)
        once = ("run", "--once", "--only", "apps")
        assert command(bridge, *once).returncode == 0
        assert len(stage.read("apps")) == 12
        stage.tell("portfolio/saas-1", {"AppName": "Renamed"}, "PUT")
        assert command(bridge, *once).returncode == 0
        assert [value and value["appName"] for _, value in stage.read("apps")[12:]] == ["Renamed"]
        stage.fault(kind="status", status=403, operation="get_app_summaries")
        failed = command(bridge, *once)
        assert failed.returncode == 1
        assert "403" in failed.stdout + failed.stderr
        bridge.start()
        eventually(lambda: rounds(bridge, "denied") > 0, "a round of the process that polls")
        stage.clear_faults()
        assert command(bridge, *once).returncode == 0, "beside it, whichever of the two is given the source"
        assert len(stage.read("apps")) == 13
        assert bridge.stop() == 0


def test_an_operator_sends_a_running_source_back(kafka: Cluster[Broker], tmp_path: Path) -> None:
    plan = AuditPlan(per_second=100, history_events=1_000, total=1_000, late_share=0)
    with staged_sources(kafka, tmp_path, SandboxConfig(audit_events=plan, export_rate_limit=200)) as stage:
        bridge = stage.bridge("audit_events", requests_per_second=180).start()
        eventually(partial(has, stage, "audit_events", 1_000), "all events")
        done = command(bridge, "cursors", "reset", "audit_events", "--yes")
        assert done.returncode == 0, done.stderr
        eventually(partial(has, stage, "audit_events", 2_000), "all events once more")
        two_more_rounds(bridge)
        assert set(Counter(audit_ids(stage)).values()) == {2}
        assert bridge.logged("source_fenced")
        assert bridge.stop() == 0
