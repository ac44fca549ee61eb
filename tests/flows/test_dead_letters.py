"""Dead letters are mended and go back through the bridge, each once, whoever dies on the way."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.flows.process import BridgeProcess, balanced, eventually
from tests.flows.setting import Stage, usage
from tests.kafka.letters import committed

pytestmark = pytest.mark.real_kafka

APPS = ("crm", "wiki", "payroll")
GOOD, MISNAMED, POISON, NOISE = range(1_000), range(1_000, 1_400), range(2_000, 2_300), range(300)


def bad_day() -> Iterator[dict[str, Any] | bytes]:
    """1,000 good records, and as many that are bad in three ways."""
    for n in GOOD:
        yield usage(n, APPS[n % 3])
    for n in MISNAMED:
        event = usage(n, APPS[n % 3])
        yield {**{name: value for name, value in event.items() if name != "email"}, "mail": event["email"]}
    for n in POISON:
        yield usage(n, APPS[n % 3], eventName="poison")
    for n in NOISE:
        yield b"\xff\xfe noise %d" % n


def command(bridge: BridgeProcess, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "bridge", "dlq", *arguments, "--config", str(bridge.config)]


def dlq(bridge: BridgeProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the command says."""
    return subprocess.run(command(bridge, *arguments), capture_output=True, text=True, timeout=120)


def waiting(bridge: BridgeProcess) -> dict[tuple[str, str], int]:
    """How many letters wait, by reason and app."""
    rows = json.loads(dlq(bridge, "list", "usage", "--json").stdout)
    return {(row["reason"], row["app"]): row["records"] for row in rows}


def test_dead_letters_are_mended_replayed_once_and_the_books_balance(real_stage: Stage) -> None:
    stage = real_stage
    stage.decisions = stage.kafka.create_topic("decisions", 1, cleanup_policy="compact")
    stage.fault(kind="poison", marker="poison", per_item=True)
    stage.produce(bad_day())
    bridge = stage.bridge(flood_guard={"consecutive": None, "share": None}).start()
    eventually(lambda: bridge.books()["dead_lettered"] == 1_000, "all bad ones are put aside")
    stage.delivered(1_000)
    assert waiting(bridge) == {
        **{("invalid", app): sum(APPS[n % 3] == app for n in MISNAMED) for app in APPS},
        **{("rejected", app): sum(APPS[n % 3] == app for n in POISON) for app in APPS},
        ("undecodable", ""): 300,
    }

    mend = ("replay", "usage", "--rename", "mail=email", "--reason", "invalid", "--yes")
    done = dlq(bridge, *mend)
    assert (done.returncode, done.stdout) == (0, f"replayed to {stage.topic}: 400 records of usage\n")
    assert '- {"mail": "user1' in done.stderr
    again = dlq(bridge, *mend)
    assert "already replayed: 400" in again.stderr
    assert again.stdout == ""
    stage.delivered(1_400)

    stage.clear_faults()
    killed_in_the_middle(stage, bridge)
    assert dlq(bridge, "replay", "usage", "--reason", "rejected", "--yes").returncode == 0
    stage.delivered(1_700)

    assert dlq(bridge, "discard", "usage", "--all", "--why", "noise", "--yes").returncode == 0
    assert waiting(bridge) == {}
    assert stage.accepted() == {*GOOD, *MISNAMED, *POISON}
    assert stage.duplicates() == 0
    assert set(came_back(stage).values()) == {1}
    assert len(came_back(stage)) == 700
    eventually(lambda: bridge.books()["outstanding"] == 0, "all settled")
    books = bridge.books()
    assert balanced(books)
    assert (books["received"], books["delivered"], books["dead_lettered"]) == (2_700, 1_700, 1_000)
    assert bridge.stop() == 0


def killed_in_the_middle(stage: Stage, bridge: BridgeProcess) -> None:
    """A replay of the rejected ones that gets through a part of them."""
    before = sum(came_back(stage).values())
    arguments = command(bridge, "replay", "usage", "--reason", "rejected", "--rate", "30", "--yes")
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: sum(came_back(stage).values()) >= before + 60, "some go back")
    process.kill()
    process.wait(60)
    assert sum(came_back(stage).values()) < before + 300


def came_back(stage: Stage) -> Counter[bytes | None]:
    """How often each record that was a dead letter is on the topic besides the first time, by key."""
    keys = Counter(each.key() for each in committed(stage.kafka, stage.topic))
    return Counter({key: count - 1 for key, count in keys.items() if count > 1})
