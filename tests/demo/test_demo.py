"""The demonstration runs from start to a balanced sheet, and says so when it does not balance."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from bridge.demo.balance import Sheet
from bridge.demo.holdings import SHOWINGS, Holding, holding
from bridge.demo.samples import ACTS
from bridge.streams import SINKS, SOURCES


def demo(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bridge", "demo", *arguments]


def test_it_balances_its_books_and_ends_with_one_json_object() -> None:
    done = subprocess.run(demo("--duration", "4", "--json"), capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    books = json.loads(done.stdout.splitlines()[-1])
    assert books["balanced"] is True
    assert set(books["sinks"]) == set(SINKS)
    for sheet in books["sinks"].values():
        assert sheet["produced"] > 1_000
        assert sheet["dead_lettered"] > 0
        assert sheet["outstanding"] == 0
        assert sheet["produced"] == sheet["delivered"] + sheet["dead_lettered"] + sheet["superseded"]
    assert set(books["sources"]) == set(SOURCES)
    for each in books["sources"].values():
        assert each["held"] == each["present"] > 0
        assert each["twice"] == 0
    for address in ("Kafka", "Productiv", "Bridge"):
        assert address in done.stderr


def test_it_produces_as_many_records_as_it_is_told() -> None:
    command = demo("--duration", "5", "--events", "1234", "--json")
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    books = json.loads(done.stdout.splitlines()[-1])
    assert {sheet["produced"] for sheet in books["sinks"].values()} == {1234}


def test_ctrl_c_ends_it_with_a_balance_sheet() -> None:
    process = subprocess.Popen(demo("--duration", "0"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Runs"):
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert "Balance sheet" in rest
    assert process.returncode == 0


GOOD = Sheet(produced=10, delivered=7, dead_lettered=2, superseded=1, outstanding=0, sent_twice=3)


def test_a_sheet_balances_when_every_record_is_accounted_for() -> None:
    assert GOOD.balanced


@pytest.mark.parametrize(
    "change",
    [{"produced": 11}, {"delivered": 6}, {"dead_lettered": 3}, {"superseded": 0}, {"outstanding": 1}],
)
def test_a_sheet_with_a_record_too_many_or_too_few_does_not(change: dict[str, int]) -> None:
    assert not replace(GOOD, **change).balanced


ROW = {"ApplicationId": "a", "AppName": "A", "AppStatus": "on"}
APP = {"applicationId": "a", "appName": "A", "appStatus": "on"}


@dataclass(frozen=True)
class Keyed:
    """As much of a message as is looked at."""

    name: str

    def key(self) -> bytes:
        return self.name.encode()


@pytest.mark.parametrize(
    ("rows", "records", "expected"),
    [
        ([ROW], [APP], Holding(held=1, present=1, twice=0)),
        ([ROW], [APP | {"appName": "old"}, APP], Holding(held=1, present=1, twice=0)),
        ([ROW], [], Holding(held=1, present=0, twice=0)),
        ([ROW], [APP | {"appName": "old"}], Holding(held=1, present=0, twice=0)),
        ([ROW], [APP, APP], Holding(held=1, present=1, twice=1)),
        ([ROW], [APP, None], Holding(held=1, present=0, twice=0)),
        ([], [APP, None], Holding(held=0, present=0, twice=0)),
        ([], [APP], Holding(held=0, present=-1, twice=0)),
    ],
)
def test_the_other_direction_is_looked_at_record_by_record(
    rows: list[Any], records: list[Any], expected: Holding
) -> None:
    found = holding(SHOWINGS["apps"], rows, [(Keyed("a"), record) for record in records])  # type: ignore[misc]
    assert found == expected
    assert found.balanced == (expected.held == expected.present and expected.twice == 0)


def test_every_source_has_its_books() -> None:
    assert set(SHOWINGS) == set(SOURCES)


def test_every_stream_has_a_part_and_the_same_seed_gives_the_same_records() -> None:
    assert set(ACTS) == set(SINKS)
    for act in ACTS.values():
        first, second = (act.samples(Random(3), lambda: 1_767_225_600.0) for _ in range(2))
        for _ in range(2_000):
            assert next(first) == next(second)
