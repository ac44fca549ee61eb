"""Money: never accepted twice, never lost, to the cent, whatever happens on the way."""

import json
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from confluent_kafka import Producer

from bridge.kafka.journal_entries import JournalFormat
from tests.flows.process import BridgeProcess, balanced, eventually
from tests.flows.setting import Stage

APPS = ("crm", "wiki", "payroll")


def payments(count: int, seed: int = 1) -> list[dict[str, Any] | bytes]:
    """So many payments, the number of each in its description. Text and numbers: producers write both."""
    random = Random(seed)
    made: list[dict[str, Any] | bytes] = []
    for number in range(count):
        cents = Decimal(random.randrange(-10_000, 10_000_000)).scaleb(-2)
        amount = f'"{cents}"' if number % 2 else str(cents)
        rest = {
            "app": APPS[number % 3],
            "currency": "EUR",
            "date": "2026-01-31",
            "description": f"invoice {number}",
        }
        made.append(f'{{"amount": {amount}, {json.dumps(rest)[1:]}'.encode())
    return made


def total(records: list[dict[str, Any] | bytes]) -> Decimal:
    """What they come to."""
    return sum(
        (Decimal(str(json.loads(r, parse_float=Decimal)["amount"])) for r in records if isinstance(r, bytes)),
        Decimal(0),
    )


def taken(stage: Stage) -> Counter[str]:
    """How often the API accepted each payment, by description."""
    held = (item["record"]["description"] for app in APPS for item in stage.content("spend", app))
    return Counter(held)


def accepted(stage: Stage) -> int:
    """How many payments the API accepted, those that it should not have twice included."""
    return sum(app["spend"]["accepted"] for app in stage.state()["apps"].values() if "spend" in app)


def taken_total(stage: Stage) -> Decimal:
    """What the API says that all it accepted comes to."""
    apps = stage.state()["apps"].values()
    return sum((Decimal(app["spend"]["sums"].get("EUR", "0")) for app in apps if "spend" in app), Decimal(0))


def in_doubt(bridge: BridgeProcess, *arguments: str) -> str:
    """What the command says."""
    command = [sys.executable, "-m", "bridge", "in-doubt", *arguments, "--config", str(bridge.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def batches(bridge: BridgeProcess) -> dict[str, set[str]]:
    """The batches in doubt, each with the descriptions of its records."""
    found: dict[str, set[str]] = {}
    for line in in_doubt(bridge, "show", "spend").splitlines():
        told = json.loads(line)
        found.setdefault(told["batch"], set()).add(told["record"]["description"])
    return found


def resolve(bridge: BridgeProcess, stage: Stage) -> None:
    """Does what an operator would: looks at the API, and discards what is there and resends what is not."""
    held = taken(stage)
    there, missing = list[str](), list[str]()
    for batch, records in batches(bridge).items():
        assert {bool(held[record]) for record in records} in ({True}, {False}), "a batch is taken as a whole"
        (there if held[next(iter(records))] else missing).extend(["--batch", batch])
    if there:
        in_doubt(bridge, "discard", "spend", *there, "--reason", "the API has them", "--yes")
    if missing:
        in_doubt(bridge, "resend", "spend", *missing, "--yes")


def test_amounts_arrive_to_the_cent_in_batches_of_one_partition(spend_stage: Stage) -> None:
    stage, records = spend_stage, payments(3_000)
    stage.produce(records)
    bridge = stage.bridge().start()
    eventually(lambda: bridge.books()["delivered"] == 3_000, "all delivered")
    assert taken_total(stage) == total(records)
    assert set(taken(stage).values()) == {1}
    assert balanced(bridge.books())
    assert bridge.stop() == 0
    assert stage.committed() == 3_000


def test_a_lost_answer_leaves_a_batch_in_doubt_until_somebody_decides(spend_stage: Stage) -> None:
    stage, records = spend_stage, payments(30)
    stage.fault(kind="reset", when="after", times=1)
    stage.produce(records)
    bridge = stage.bridge().start()
    eventually(lambda: bridge.has_settled(30), "all settled")
    doubtful = bridge.books()["in_doubt"]
    assert doubtful > 0
    assert set(taken(stage).values()) == {1}
    assert len(taken(stage)) == 30  # the API has them: the answer was lost, not the request
    eventually(lambda: bridge.metric("bridge_in_doubt_waiting_records") == doubtful, "the gauge says so")
    assert bridge.metric("bridge_in_doubt_oldest_timestamp_seconds") > 1_700_000_000
    resolve(bridge, stage)
    assert "0 records in doubt" in in_doubt(bridge, "list", "spend")
    eventually(lambda: bridge.metric("bridge_in_doubt_waiting_records") == 0, "the gauge says so")
    assert taken_total(stage) == total(records)


def test_a_batch_that_never_arrived_is_resent_once_however_often_one_says_so(spend_stage: Stage) -> None:
    stage, records = spend_stage, payments(9)
    stage.fault(kind="reset", when="before")
    stage.produce(records)
    bridge = stage.bridge().start()
    eventually(lambda: bridge.books()["in_doubt"] == 9, "all in doubt")
    assert not accepted(stage)
    stage.clear_faults()
    assert "resent: 9 records" in in_doubt(bridge, "resend", "spend", "--all", "--yes")
    assert "nothing to do" in in_doubt(bridge, "resend", "spend", "--all", "--yes")
    eventually(lambda: bridge.books()["delivered"] == 9, "delivered now")
    assert set(taken(stage).values()) == {1}
    assert taken_total(stage) == total(records)


def test_an_outage_puts_no_money_in_doubt(spend_stage: Stage) -> None:
    stage = spend_stage
    stage.fault(kind="status", status=503, times=20)
    stage.produce(payments(300))
    bridge = stage.bridge().start()
    eventually(lambda: bridge.books()["delivered"] == 300, "all delivered")
    assert bridge.books()["in_doubt"] == 0


def test_success_false_is_in_doubt_and_not_split(spend_stage: Stage) -> None:
    stage = spend_stage
    stage.fault(kind="success_false", when="after", times=1)
    stage.produce(payments(30))
    bridge = stage.bridge().start()
    eventually(lambda: bridge.has_settled(30), "all settled")
    assert bridge.books()["in_doubt"] > 0
    assert set(taken(stage).values()) == {1}
    assert bridge.books()["dead_lettered"] == 0


@pytest.mark.real_kafka
def test_committed_offsets_that_go_back_pay_nothing_again(real_spend_stage: Stage) -> None:
    stage, records = real_spend_stage, payments(300)
    stage.produce(records[:200])
    bridge = stage.bridge().start()
    eventually(lambda: stage.committed() == 200, "the first are committed")
    stage.produce(records[200:])  # with which the entries of the first are forgotten
    eventually(lambda: stage.committed() == 300, "all are committed")
    assert bridge.stop() == 0
    stage.set_back()
    bridge.start()
    eventually(lambda: stage.committed() == 300, "all are committed again")
    assert bridge.books()["settled_before"] == 300
    assert balanced(bridge.books())
    assert set(taken(stage).values()) == {1}


@pytest.mark.real_kafka
def test_kills_at_random_moments_and_lost_answers_neither_repeat_nor_lose_a_cent(
    real_spend_stage: Stage,
) -> None:
    stage, records, random = real_spend_stage, payments(20_000), Random(3)
    stage.produce(records)
    stage.fault(kind="reset", when="after", share=0.05)
    stage.fault(kind="latency", seconds=0.02)
    bridge = stage.bridge(batch={"max_records": 100, "max_age_seconds": 0.2}).start()
    for part in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8):
        aim = 20_000 * part + random.randrange(2_000)
        eventually(lambda aim=aim: accepted(stage) >= aim, "some are taken")  # type: ignore[misc]
        bridge.kill()
        bridge.start()
    eventually(lambda: stage.committed() == 20_000, "all are committed", 180)
    eventually(lambda: bridge.books()["outstanding"] == 0, "all settled")
    assert balanced(bridge.books())
    assert set(taken(stage).values()) == {1}
    doubtful = {record for records in batches(bridge).values() for record in records}
    everything = {f"invoice {number}" for number in range(20_000)}
    assert set(taken(stage)) | doubtful == everything
    assert doubtful
    stage.clear_faults()
    resolve(bridge, stage)
    eventually(lambda: accepted(stage) >= 20_000, "what was missing is there")
    assert set(taken(stage)) == everything
    assert set(taken(stage).values()) == {1}
    assert taken_total(stage) == total(records)
    assert not batches(bridge)


def test_what_a_killed_process_had_begun_to_write_holds_up_nobody(real_spend_stage: Stage) -> None:
    """Its transaction would stay open for a minute, and the journal is read past it."""
    stage = real_spend_stage
    group = f"test-{stage.topic}.spend"
    killed = Producer(
        {
            "bootstrap.servers": stage.kafka.bootstrap,
            "transactional.id": JournalFormat(group, stage.topic).transactional_id(0),
        }
    )
    killed.init_transactions(30)
    killed.begin_transaction()
    killed.produce(stage.journal, b"{}", b"unfinished", 0)
    killed.flush(30)
    stage.produce(payments(100))
    bridge = stage.bridge().start()
    eventually(lambda: bridge.status("/readyz")[0] == 200, "it is ready", 30)
    eventually(lambda: bridge.books()["delivered"] == 100, "all delivered")


def test_a_right_to_write_that_was_lost_to_nobody_is_taken_back(real_spend_stage: Stage) -> None:
    """As when a broker goes away within a transaction, and then refuses the producer that had it for good."""
    stage, records = real_spend_stage, payments(200)
    stage.produce(records[:100])
    bridge = stage.bridge().start()
    eventually(lambda: bridge.books()["delivered"] == 100, "the first are delivered")
    stranger = Producer(
        {
            "bootstrap.servers": stage.kafka.bootstrap,
            "transactional.id": JournalFormat(f"test-{stage.topic}.spend", stage.topic).transactional_id(0),
        }
    )
    stranger.init_transactions(30)
    stage.produce(records[100:])
    eventually(lambda: stage.committed() == 200, "all are committed")
    assert bridge.logged("journal_taken_over")
    assert set(taken(stage).values()) == {1}
    assert taken_total(stage) == total(records)
    assert bridge.status("/readyz")[0] == 200
