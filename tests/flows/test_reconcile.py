"""`users diff` and `users reconcile` against a sandbox API, alone and beside a bridge at work."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # as in bridge/kafka/topic_reader
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.flows.process import BridgeProcess, eventually
from tests.flows.setting import Stage
from tests.flows.test_users import APPS, Directory, held

Users = dict[str, str]


def people(count: int, prefix: str = "person") -> Users:
    return {f"{prefix}{n}@example.com": f"role {n}" for n in range(count)}


def on_topic(stage: Stage, users: Users, app: str = "crm") -> int:
    return stage.produce_keyed(
        (f"{app}/{who}", {"app": app, "email": who, "role": role}) for who, role in users.items()
    )


def at_api(stage: Stage, users: Users, app: str = "crm") -> None:
    stage.post_users(app, [{"email": who, "role": role} for who, role in users.items()])


def api_users(stage: Stage, app: str = "crm") -> Users:
    return {user["email"].lower(): user.get("role", "") for user in stage.content("users", app)}


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


def command(bridge: BridgeProcess, *arguments: str, app: str = "crm") -> Done:
    verb, *options = arguments
    line = [sys.executable, "-m", "bridge", "users", verb, app, "--config", str(bridge.config), *options]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    return Done(done.returncode, done.stdout, done.stderr)


def counts(done: Done) -> tuple[int, int, int]:
    return tuple(done.document[kind] for kind in ("adds", "changes", "leavers"))


def test_the_difference_is_shown_and_then_made_up_for(compacted_stage: Stage) -> None:
    stage = compacted_stage
    on_topic(stage, people(50))
    # 10 are missing, 5 have another role, 3 have left; one is spelled in another way and the same.
    api = {who: role for who, role in people(50).items() if not who.startswith("person1")}
    api |= {f"person{n}@example.com": "once" for n in range(20, 25)} | people(3, "gone")
    api["PERSON30@Example.com"] = api.pop("person30@example.com")
    at_api(stage, api)
    bridge = stage.bridge()
    diff = command(bridge, "diff", "--json")
    assert (diff.code, counts(diff)) == (1, (11, 5, 3))
    assert "@" not in diff.out + diff.err
    named = command(bridge, "diff", "--list")
    assert named.code == 1
    assert named.out.splitlines()[1] == "11 adds, 5 changes, 3 leavers"
    assert {"+ person10@example.com", "~ person20@example.com", "- gone0@example.com"} <= set(
        named.out.splitlines()
    )
    dry = command(bridge, "reconcile")
    assert dry.code == 1
    assert "dry run" in dry.out
    assert api_users(stage) == {who.lower(): role for who, role in api.items()}
    done = command(bridge, "reconcile", "--apply", "--json")
    assert (done.code, done.document["applied"]["posted"], done.document["applied"]["deleted"]) == (0, 16, 3)
    assert api_users(stage) == people(50)
    assert stage.state()["apps"]["crm"]["users"]["deleted_unknown"] == 0
    assert "@" not in done.out + done.err
    assert command(bridge, "diff").code == 0
    again = command(bridge, "reconcile", "--apply", "--json")
    assert (again.code, again.document["applied"]["posted"], again.document["applied"]["deleted"]) == (
        0,
        0,
        0,
    )


def test_more_than_a_thousand_leavers_go_in_several_requests_through_faults(compacted_stage: Stage) -> None:
    stage = compacted_stage
    on_topic(stage, people(300))
    at_api(stage, people(300) | people(2_500, "gone"))
    bridge = stage.bridge()
    operation = "delete_provisioned_users"
    stage.fault(kind="status", status=503, times=2, operation=operation)
    stage.fault(kind="status", status=429, retry_after=1, times=1, operation=operation)
    stage.fault(kind="reset", when="after", times=1, operation=operation)
    stage.fault(kind="token_expired", times=1, operation=operation)
    done = command(bridge, "reconcile", "--apply", "--delete", "2500", "--json")
    assert done.code == 0, done.err
    assert done.document["applied"]["deleted"] == 2_500
    assert api_users(stage) == people(300)
    figures = stage.state()["apps"]["crm"]["users"]
    assert figures["largest_batch"] == 1_000
    assert figures["deleted"] == 2_500
    for outcome in ("throttled", "unavailable", "in_doubt"):
        assert f"outcome={outcome}" in done.err or f"outcome='{outcome}'" in done.err or outcome in done.err
    assert "@" not in done.err


def refused(stage: Stage, bridge: BridgeProcess, *options: str) -> str:
    """Applies, checks that nothing is changed, and gives the reason."""
    before = api_users(stage)
    shown = command(bridge, "diff", "--json")
    done = command(bridge, "reconcile", "--apply", *options)
    assert done.code == 2, done.out + done.err
    assert "productiv-bridge: refused: " in done.err
    assert api_users(stage) == before
    reason: dict[str, str] = shown.document["refused"]
    return reason["reason"]


def test_an_empty_topic_is_refused(compacted_stage: Stage) -> None:
    at_api(compacted_stage, people(5))
    on_topic(compacted_stage, people(5), app="wiki")
    assert refused(compacted_stage, compacted_stage.bridge(), "--delete", "5") == "empty"


def test_a_topic_with_a_record_that_cannot_be_read_is_refused_until_it_is_healed(
    compacted_stage: Stage,
) -> None:
    stage, bridge = compacted_stage, compacted_stage.bridge()
    on_topic(stage, people(50))
    at_api(stage, people(50) | people(1, "gone"))
    stage.produce_keyed([("wiki/x@example.com", b"not json"), ("crm/y@example.com", b"not json")])
    assert refused(stage, bridge) == "unreadable"
    stage.produce_keyed([("crm/y@example.com", None)])
    assert command(bridge, "reconcile", "--apply").code == 0
    assert api_users(stage) == people(50)


def test_too_large_a_share_is_refused_unless_told_by_number(compacted_stage: Stage) -> None:
    stage, bridge = compacted_stage, compacted_stage.bridge()
    on_topic(stage, people(8))
    at_api(stage, people(8) | people(2, "gone"))
    assert refused(stage, bridge) == "share"
    assert refused(stage, bridge, "--delete", "1") == "share"  # by the number told; a diff is told none
    assert refused(stage, bridge, "--max-deletions", "0.19") == "share"
    assert command(bridge, "reconcile", "--delete", "2").code == 1  # dry
    assert command(bridge, "reconcile", "--apply", "--max-deletions", "0.2").code == 0
    at_api(stage, people(2, "gone"))
    assert command(bridge, "reconcile", "--apply", "--delete", "2").code == 0
    assert api_users(stage) == people(8)


@pytest.mark.real_kafka
def test_a_topic_that_forgets_or_has_forgotten_is_refused(real_users_stage: Stage) -> None:
    stage = real_users_stage
    stage.topic = stage.kafka.create_topic("users", 4, cleanup_policy="delete")
    on_topic(stage, people(50))
    at_api(stage, people(50) | people(1, "gone"))
    assert refused(stage, stage.bridge(), "--delete", "1") == "truncated"
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap})
    for deleted in admin.delete_records([TopicPartition(stage.topic, 3, 1)]).values():
        deleted.result(30)
    compact = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, stage.topic, incremental_configs=[compact])
    admin.incremental_alter_configs([topic])[topic].result(30)
    assert refused(stage, stage.bridge(), "--delete", "1") == "truncated"
    assert "the first 1 offsets" in command(stage.bridge(), "diff").err


@pytest.fixture
def churning(compacted_stage: Stage) -> tuple[Stage, Directory, BridgeProcess]:
    """A bridge that has delivered a first load, and leavers at the API that no topic knows of."""
    stage, directory = compacted_stage, Directory(400)
    stage.produce_keyed(directory.changes(3_000))
    bridge = stage.bridge(batch={"max_records": 100, "max_age_seconds": 0.1}).start()
    eventually(lambda: bridge.books()["received"] == 3_000 and not bridge.books()["outstanding"], "the load")
    for app in APPS:
        at_api(stage, people(30, "gone"), app)
    return stage, directory, bridge


def test_beside_a_bridge_under_churn_the_topic_has_the_last_word(
    churning: tuple[Stage, Directory, BridgeProcess],
) -> None:
    stage, directory, bridge = churning
    stage.fault(kind="latency", seconds=0.02, jitter=0.05)
    stage.fault(kind="status", status=503, share=0.1)
    stage.fault(kind="reset", when="after", share=0.05, operation="delete_provisioned_users")
    total = 3_000
    for app in APPS:
        lines = [sys.executable, "-m", "bridge", "users", "reconcile", app, "--config", str(bridge.config)]
        running = subprocess.Popen([*lines, "--apply", "--max-deletions", "1", "--json"], stdout=-1)
        while running.poll() is None:  # churn for as long as it takes
            total += stage.produce_keyed(directory.changes(20))
            # A sink that keeps up is the one that could be ahead of us.
            eventually(lambda total=total: bridge.books()["received"] == total, "the sink keeps up")  # type: ignore[misc]
        assert running.returncode == 0
        out, _ = running.communicate()
        assert json.loads(out)["applied"]["deleted"] >= 30
    stage.clear_faults()
    eventually(lambda: bridge.books()["received"] == total and not bridge.books()["outstanding"], "all")
    assert held(stage) == directory.accounts
    assert command(bridge, "diff").code == 0


def scheduled(bridge: BridgeProcess, **changes: Any) -> BridgeProcess:
    """With the job every second."""
    bridge.change(reconcile={"enabled": True, "interval_hours": 1 / 3600, **changes})
    return bridge


def runs(bridge: BridgeProcess, result: str) -> float:
    return bridge.metric("bridge_reconciled_apps_total", stream="users", result=result)


def test_the_scheduled_job_does_it_for_every_app_in_one_of_two_processes(compacted_stage: Stage) -> None:
    stage = compacted_stage
    for app in APPS:
        on_topic(stage, people(20), app)
        at_api(stage, people(20) | people(1, "gone"), app)
    bridges = [scheduled(stage.bridge()).start() for _ in range(2)]
    eventually(lambda: all(api_users(stage, app) == people(20) for app in APPS), "the leavers are gone")
    eventually(lambda: sum(runs(bridge, "equal") for bridge in bridges) > 0, "then all is equal")
    eventually(lambda: all(b.metric("bridge_assigned_partitions") for b in bridges), "both have partitions")
    done = [line for bridge in bridges for line in bridge.logged("reconciled") if line["deleted"]]
    assert sorted(line["app"] for line in done) == sorted(APPS)
    deleted = {"stream": "users", "kind": "deleted"}
    assert sum(b.metric("bridge_reconciled_records_total", **deleted) for b in bridges) == 3
    assert all("@" not in line for bridge in bridges for line in bridge.log.read_text().splitlines())
    assert [bridge.stop() for bridge in bridges] == [0, 0]


def test_a_scheduled_run_that_is_refused_is_seen_and_the_sink_goes_on(compacted_stage: Stage) -> None:
    stage = compacted_stage
    on_topic(stage, people(5))
    at_api(stage, people(5, "gone"))
    bridge = scheduled(stage.bridge(), apps="crm").start()
    eventually(lambda: runs(bridge, "refused_share") > 0, "it is refused")
    on_topic(stage, people(6))
    eventually(lambda: len(api_users(stage)) == 11, "the sink goes on")
    [line, *_] = bridge.logged("reconcile_refused")
    assert (line["app"], line["reason"], line["leavers"], line["level"]) == ("crm", "share", 5, "error")
    leavers = bridge.metric("bridge_reconcile_differences_total", stream="users", kind="leavers")
    assert leavers >= 5
    assert bridge.stop() == 0


def test_without_being_asked_for_the_job_does_nothing(compacted_stage: Stage) -> None:
    stage = compacted_stage
    on_topic(stage, people(20))
    at_api(stage, people(1, "gone"))
    bridge = stage.bridge()
    bridge.change(reconcile={"interval_hours": 0.0001})  # some three runs a second
    bridge.start()
    eventually(lambda: bridge.books()["delivered"] == 20, "the sink is done")
    on_topic(stage, people(21))
    eventually(lambda: bridge.books()["delivered"] == 41, "the sink is done again")
    assert "gone0@example.com" in api_users(stage)
    assert not bridge.metric("bridge_reconciled_apps_total")
