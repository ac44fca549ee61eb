"""What is worse than accepted shows, and nothing else does."""

from pathlib import Path

from tests.bench import quick
from tests.bench.contestants import FLOOR, FLOOR_AND_POST
from tests.bench.job import Format

EXPECTED = {"json": 2.0, "avro": 3.0}


def test_a_ratio_shows_where_it_is_worse_by_more_than_allowed() -> None:
    assert quick.worse({"json": 2.29, "avro": 3.46}, EXPECTED) == ["avro: 3.46 where 3.00 was accepted"]


def test_better_is_never_worse() -> None:
    assert quick.worse({"json": 0.1, "avro": 0.1}, EXPECTED) == []


def test_what_was_not_measured_shows() -> None:
    assert quick.worse({"json": 2.0}, EXPECTED) == ["avro: not measured"]


def test_what_is_accepted_is_expected_next_time(tmp_path: Path) -> None:
    quick.accept({"json": 2.5}, tmp_path / "accepted.json")
    assert quick.accepted(tmp_path / "accepted.json") == {"json": 2.5}


def test_the_ratios_in_the_repository_are_those_that_are_measured() -> None:
    assert set(quick.accepted()) == {
        f"{format} to {floor}" for format in Format for floor in (FLOOR, FLOOR_AND_POST)
    }
