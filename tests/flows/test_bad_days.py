"""Whatever breaks, nothing is lost: kills, rebalances, brokers gone, tokens gone, the API gone."""

import threading
from typing import Any

import pytest

from tests.flows.process import BridgeProcess, balanced, eventually
from tests.flows.setting import Stage, usage
from tests.kafka_broker.broker import OwnBroker
from tests.kafka_broker.cluster import Cluster

APPS = ("crm", "wiki", "payroll")


def events(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [usage(n, APPS[n % 3]) for n in range(start, start + count)]


class Stream:
    """Produces in the background, as services do while bridges come and go, until the block ends."""

    def __init__(self, stage: Stage) -> None:
        self.total = 0
        self._stage = stage
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ending.wait(0.05):
            self.total += self._stage.produce(events(200, self.total))

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()


def settled(bridge: BridgeProcess) -> bool:
    return bridge.books()["outstanding"] == 0


def test_a_rebalance_in_mid_stream_loses_nothing(stage: Stage) -> None:
    """A second member joins while batches are open and in flight, and the first leaves."""
    stage.fault(kind="latency", seconds=0.1)
    with Stream(stage) as stream:
        first = stage.bridge().start()
        stage.delivered(1_000)
        second = stage.bridge().start()
        eventually(lambda: second.books()["delivered"] > 0, "the second delivers")
        assert balanced(first.books())
        assert first.stop() == 0
        eventually(lambda: second.metric("bridge_assigned_partitions") == 4, "the second has all partitions")
    stage.delivered(stream.total)
    eventually(lambda: settled(second), "all settled")
    assert stage.accepted() == set(range(stream.total))
    assert balanced(second.books())
    assert not stage.buried()
    if stage.kafka.real:  # the mock cluster takes no commits while members come and go
        assert stage.duplicates() == 0  # both drained before they let go
    assert second.stop() == 0
    assert stage.committed() == stream.total


def test_sigkill_and_restart_loses_nothing(stage: Stage) -> None:
    stage.fault(kind="latency", seconds=0.2)
    total = stage.produce(events(30_000))
    bridge = stage.bridge(max_outstanding_records=4_000, in_flight=2, in_flight_per_app=2).start()
    for done in (5_000, 15_000, 25_000):
        stage.delivered(done)
        bridge.kill()
        assert stage.committed() <= stage.distinct()
        bridge.start()
    stage.delivered(total)
    eventually(lambda: settled(bridge), "all settled")
    assert stage.accepted() == set(range(total))
    # What goes out again after a kill was outstanding (4,000 at most) or settled since the last commit: two
    # requests of 1,000 in 0.2 s are 4,000 in the 0.4 s that a commit may take. From zero: 45,000.
    assert stage.duplicates() <= 3 * 8_000
    assert bridge.stop() == 0
    assert stage.committed() == total


@pytest.mark.real_kafka
def test_who_stood_still_while_its_partitions_went_commits_nothing_old_and_goes_on(real_stage: Stage) -> None:
    stage = real_stage
    stage.produce([*events(1_000), b"noise"])
    first, second = stage.bridge(), stage.bridge()
    first.start()
    eventually(lambda: stage.committed() == 1_001, "the first has committed")
    stage.fault(kind="latency", seconds=1.0)
    stage.produce(events(3_000, 1_000))
    eventually(lambda: first.books()["outstanding"] > 0, "requests are under way")
    first.pause()
    second.start()
    stage.delivered(4_000)
    eventually(lambda: stage.committed() == 4_001, "the second has committed all")
    first.resume()
    eventually(lambda: first.metric("bridge_assigned_partitions") == 2, "it is a member again")
    stage.produce(events(1_000, 4_000))
    stage.delivered(5_000)
    eventually(lambda: stage.committed() == 5_001, "all is committed")
    assert {first.stop(), second.stop()} == {0}
    assert stage.reasons() == {"undecodable": 1}


def test_broker_stopped_and_started(own_stage: Stage, own_kafka: Cluster[OwnBroker]) -> None:
    stage = own_stage
    stage.fault(kind="latency", seconds=0.05)
    stage.produce(events(10_000))
    bridge = stage.bridge(max_outstanding_records=2_000).start()
    stage.delivered(3_000)
    own_kafka.broker.stop()
    eventually(lambda: settled(bridge), "what was received is delivered without a broker")
    own_kafka.broker.start()
    stage.produce(events(1_000, 10_000))
    stage.delivered(11_000)
    eventually(lambda: settled(bridge), "all settled")
    assert stage.accepted() == set(range(11_000))
    assert balanced(bridge.books())
    assert bridge.stop() == 0


def test_it_ends_in_time_though_the_broker_is_gone(own_stage: Stage, own_kafka: Cluster[OwnBroker]) -> None:
    stage = own_stage
    stage.produce(events(1_000))
    bridge = stage.bridge()
    bridge.change(shutdown_deadline_seconds=5)
    bridge.start()
    stage.delivered(1_000)
    own_kafka.broker.kill()
    bridge.stop()
    assert not bridge.running


def test_tokens_that_end_in_the_middle(short_tokens: Stage) -> None:
    stage = short_tokens
    stage.fault(kind="latency", seconds=0.2)
    stage.produce(events(20_000))
    bridge = stage.bridge(in_flight=2, in_flight_per_app=1).start()
    stage.delivered(20_000)
    assert stage.state()["tokens"]["issued"] >= 2
    eventually(lambda: settled(bridge), "all settled")
    assert balanced(bridge.books())
    assert not stage.buried()


def test_a_token_that_ends_while_a_batch_is_tried_again_is_renewed(short_tokens: Stage) -> None:
    stage = short_tokens
    stage.fault(kind="status", status=503)
    stage.produce(events(1_000))
    bridge = stage.bridge().start()
    eventually(lambda: stage.state()["tokens"]["issued"] >= 3, "two tokens have ended meanwhile")
    stage.clear_faults()
    stage.delivered(1_000)
    assert bridge.metric("bridge_requests_total", outcome="denied") == 0
    assert not stage.buried()


def test_a_revoked_token_costs_one_try(stage: Stage) -> None:
    stage.fault(kind="token_revoked", times=1)
    stage.produce(events(3_000))
    bridge = stage.bridge().start()
    stage.delivered(3_000)
    eventually(lambda: settled(bridge), "all settled")
    assert bridge.metric("bridge_requests_total", outcome="denied") == 0
    assert stage.duplicates() == 0


def test_refused_credentials_pause_until_they_are_rotated_on_disk(stage: Stage) -> None:
    stage.secret_file.write_text("wrong")
    stage.produce(events(1_000))
    bridge = stage.bridge().start()
    eventually(lambda: bridge.metric("bridge_denied", stream="usage") == 1, "it says that it is denied")
    status, answer = bridge.status("/readyz")
    assert status == 503
    assert "usage: the API refuses the credentials" in answer["reasons"]
    assert bridge.status("/healthz")[0] == 200
    stage.secret_file.write_text("sandbox-secret")
    stage.delivered(1_000)
    eventually(lambda: bridge.status("/readyz")[0] == 200, "it is ready again")
    assert not stage.buried()


OUTAGES: dict[str, dict[str, Any]] = {
    "503": {"kind": "status", "status": 503},
    "500 burst": {"kind": "status", "status": 500, "share": 0.5},
    "connection reset": {"kind": "reset", "when": "during"},
    "answers lost after acceptance": {"kind": "reset", "when": "after"},
    "answers cut": {"kind": "cut", "share": 0.7},
    "429 without Retry-After": {"kind": "status", "status": 429},
    "403": {"kind": "status", "status": 403},
    "broken JSON": {"kind": "malformed_json", "share": 0.7},
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_the_api_is_in_trouble_for_a_while(stage: Stage, outage: str) -> None:
    """Nothing is lost, nothing is dead-lettered, and it recovers by itself."""
    stage.produce(events(5_000))
    stage.fault(**OUTAGES[outage])
    bridge = stage.bridge().start()
    eventually(lambda: bridge.metric("bridge_requests_total") >= 8, "it has tried several times")
    assert balanced(bridge.books())
    stage.clear_faults()
    stage.delivered(5_000)
    eventually(lambda: settled(bridge), "all settled")
    assert stage.accepted() == set(range(5_000))
    assert not stage.buried()
    assert balanced(bridge.books())
    assert bridge.stop() == 0
    assert stage.committed() == 5_000


def test_one_app_that_is_down_holds_no_other(stage: Stage) -> None:
    stage.fault(kind="status", status=503, app="wiki")
    stage.produce(events(9_000))
    bridge = stage.bridge().start()
    stage.delivered(6_000)
    assert "wiki" not in {app for app, held in stage.state()["apps"].items() if held["usage"]["accepted"]}
    assert bridge.metric("bridge_lanes_waiting", stream="usage") == 1
    assert bridge.books()["outstanding"] == 3_000
    stage.clear_faults()
    stage.delivered(9_000)


def test_retry_after_is_kept(stage: Stage) -> None:
    """The sandbox asks for two seconds; nothing may come to that app before."""
    stage.fault(kind="status", status=429, retry_after=2, times=1)
    stage.produce([usage(n) for n in range(1_000)])
    bridge = stage.bridge(batch={"max_age_seconds": 30}).start()
    stage.delivered(1_000)
    assert bridge.metric("bridge_requests_total") == 2
    assert bridge.metric("bridge_delay_seconds_sum") >= 2


def test_an_unknown_app_is_dead_lettered_whole_without_halving(stage: Stage) -> None:
    stage.fault(kind="status", status=404, app="wiki")
    stage.produce([usage(n, "wiki") for n in range(500)] + [usage(n, "crm") for n in range(500)])
    bridge = stage.bridge().start()
    eventually(lambda: bridge.books()["dead_lettered"] == 500, "they are dead letters")
    stage.delivered(500)
    assert bridge.metric("bridge_requests_total", outcome="rejected") <= 3
    assert stage.reasons() == {"rejected": 500}


def test_the_flood_guard_stops_the_stream_and_a_restart_goes_on(stage: Stage) -> None:
    """A bad deploy: nothing but noise. It stops early and says why; later nothing is lost."""
    stage.fault(kind="poison", marker="poison", per_item=True)
    stage.produce([usage(n, eventName="poison") for n in range(3_000)])
    bridge = stage.bridge(flood_guard={"consecutive": 500}).start()
    eventually(lambda: bridge.metric("bridge_flood_guard_tripped", stream="usage") == 1, "it trips")
    status, answer = bridge.status("/readyz")
    assert status == 503
    assert "in a row were refused" in str(answer["reasons"])
    assert bridge.status("/healthz")[0] == 200
    assert len(bridge.logged("flood_guard_tripped")) == 1
    assert balanced(bridge.books())
    assert bridge.stop() == 0
    buried = len(stage.buried())
    assert buried < 500
    stage.clear_faults()
    bridge.start()
    stage.delivered(3_000 - buried)
    eventually(lambda: settled(bridge), "all settled")
    assert len(stage.buried()) == buried


def test_a_full_bridge_pauses_and_stays_in_its_group(stage: Stage) -> None:
    stage.fault(kind="status", status=503)
    stage.produce(events(9_000))
    bridge = stage.bridge(max_outstanding_records=2_000).start()
    eventually(lambda: bridge.books()["received"] >= 2_000, "it is full")
    eventually(lambda: bridge.metric("bridge_requests_total") >= 30, "it has tried for a while")
    assert bridge.books()["received"] == 2_000
    assert bridge.metric("bridge_assigned_partitions") == 4
    stage.clear_faults()
    stage.delivered(9_000)
    assert stage.duplicates() == 0


def test_what_waits_is_handed_over_when_the_bridge_ends(stage: Stage) -> None:
    stage.fault(kind="status", status=503)
    stage.produce(events(3_000))
    first = stage.bridge().start()
    eventually(lambda: first.books()["received"] == 3_000, "all are received")
    assert first.stop() == 0
    given_up = [line for line in first.logged("partitions_given_up") if line["stream"] == "usage"]
    assert given_up[-1]["handed_over"] == 3_000
    assert stage.committed() == 0
    stage.clear_faults()
    stage.bridge().start()
    stage.delivered(3_000)
    assert stage.accepted() == set(range(3_000))
