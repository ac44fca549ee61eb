"""What a gate does with changes and snapshots; the orders they may come in are for the tests of the core."""

from collections.abc import Mapping
from typing import Any

import pytest

from bridge.core.gate import Finding, GateBounds, Gathered
from bridge.core.record import Decoded, Doc
from bridge.streams.snapshots import Changes, SnapshotRules, Snapshots, Unfit
from tests.core.records import At


def shape(doc: Doc) -> Doc:
    if doc["id"] == "unfit":
        raise Unfit("it does not fit")
    return {"id": doc["id"]}


def twins(whole: Mapping[str, Doc]) -> list[Finding]:
    count = sum("twin" in identity for identity in whole)
    return [Finding("id", "twin", count)] if count else []


def gate(
    most: int = 100, refuse: bool = False, max_outstanding: int = 100, max_bytes: int = 10_000
) -> Snapshots:
    return Snapshots(SnapshotRules("id", most, twins, refuse), GateBounds(max_outstanding, max_bytes), shape)


def records(*docs: dict[str, Any], start: int = 0, partition: int = 0) -> Decoded:
    origins = [At((partition, start + n)) for n in range(len(docs))]
    return Decoded(list(origins), ["a"] * len(docs), list(docs), [10] * len(docs))


def of(number: int, *ids: str, size: int | None = None) -> list[dict[str, Any]]:
    docs: list[dict[str, Any]] = [{"id": each, "snapshot": number} for each in ids]
    if size is not None:
        docs[-1]["snapshotSize"] = size
    return docs


def sent(gathered: Gathered) -> list[list[str]]:
    return [[doc["id"] for doc in run.docs] for run in gathered.runs]


def offsets(origins: Any) -> list[int]:
    return [origin.offset() for origin in origins]


def refusals(gathered: Gathered) -> list[tuple[str, str, int]]:
    """Each whole refusal: reason, detail, records."""
    for whole in gathered.refused:
        assert len({(one.reason, one.detail) for one in whole}) == 1
    return [(whole[0].reason, whole[0].detail, len(whole)) for whole in gathered.refused]


def test_changes_pass_in_the_form_in_which_they_are_sent() -> None:
    gathered = Changes(shape).receive(records(*of(1, "a", "unfit", "b")))
    assert gathered.passed.docs == [{"id": "a"}, {"id": "b"}]
    assert offsets(gathered.passed.origins) == [0, 2]
    [refused] = gathered.passed.refused
    assert (refused.origin.offset(), refused.reason, refused.detail) == (1, "invalid", "it does not fit")


def test_a_snapshot_is_held_until_so_many_different_ones_have_come_as_it_says() -> None:
    snapshots = gate()
    first = snapshots.receive(records(*of(1, "a"), *of(1, "b", size=3)))
    assert (sent(first), offsets(first.held), offsets(snapshots.held())) == ([], [0, 1], [0, 1])
    assert snapshots.bytes == 20
    second = snapshots.receive(records(*of(1, "b", "c"), start=2))
    assert sent(second) == [["a", "b", "c"]]
    assert offsets(second.runs[0].origins) == [0, 2, 3]
    assert (offsets(second.superseded), second.released) == ([1], True)
    assert (snapshots.held(), snapshots.bytes) == ([], 0)


def test_what_comes_after_a_snapshot_went_out_is_superseded_and_told() -> None:
    snapshots = gate()
    gathered = snapshots.receive(records(*of(2, "a", size=1), *of(2, "b", "c"), *of(1, "d", size=1)))
    assert sent(gathered) == [["a"]]
    assert offsets(gathered.superseded) == [1, 2, 3]
    assert gathered.findings == [Finding("snapshot", "late", 2)]


def test_a_newer_snapshot_replaces_an_unfinished_one() -> None:
    snapshots = gate()
    snapshots.receive(records(*of(1, "a", "b")))
    gathered = snapshots.receive(records(*of(2, "c", size=1), start=2))
    assert (sent(gathered), offsets(gathered.superseded), gathered.released) == ([["c"]], [0, 1], True)
    assert snapshots.bytes == 0


def test_records_without_a_number_or_that_do_not_fit_are_refused_one_by_one() -> None:
    snapshots = gate()
    gathered = snapshots.receive(records({"id": "a"}, *of(1, "unfit", "b", size=1)))
    assert [(r.origin.offset(), r.detail.split(";")[0]) for r in gathered.passed.refused] == [
        (0, "snapshot is missing"),
        (1, "it does not fit"),
    ]
    assert sent(gathered) == [["b"]]


@pytest.mark.parametrize(
    ("made", "docs", "reason", "detail"),
    [
        (gate(most=2), of(1, "a", "b", "c"), "too_large", "the snapshot has 3 records where 2 are allowed"),
        (
            gate(most=2),
            of(1, "a", size=9) + of(1, "b", "c"),
            "too_large",
            "the snapshot has 9 records where 2 are allowed",
        ),
        (
            gate(max_outstanding=3),
            of(1, "a", "b", "c"),
            "too_large",
            "the unfinished snapshot fills max_outstanding_records (3)",
        ),
        (
            gate(max_bytes=30),
            of(1, "a", "b", "c"),
            "too_large",
            "the unfinished snapshot fills max_outstanding_bytes (30)",
        ),
        (
            gate(),
            of(1, "a", "b", "c", size=2),
            "invalid",
            "the snapshot has 3 different records where snapshotSize says 2",
        ),
        (
            gate(refuse=True),
            of(1, "a", "twin 1", "twin 2", size=3),
            "invalid",
            "the snapshot is refused as a whole for id twin (2)",
        ),
    ],
)
def test_a_snapshot_is_refused_as_a_whole_and_does_not_stop_the_next(
    made: Snapshots, docs: list[dict[str, Any]], reason: str, detail: str
) -> None:
    gathered = made.receive(records(*docs))
    assert (sent(gathered), refusals(gathered)) == ([], [(reason, detail, 3)])
    assert (gathered.released, made.held(), made.bytes) == (True, [], 0)
    later = made.receive(records(*of(1, "x", "y"), start=10))
    assert refusals(later) == [(reason, detail, 2)]
    assert sent(made.receive(records(*of(2, "a", size=1), start=20))) == [["a"]]


def test_a_snapshot_may_fill_the_bounds_if_it_is_complete_then() -> None:
    assert sent(gate(most=2, max_outstanding=2, max_bytes=20).receive(records(*of(1, "a", "b", size=2))))


def test_what_is_odd_goes_out_all_the_same_unless_it_is_to_be_refused() -> None:
    gathered = gate().receive(records(*of(1, "twin 1", "twin 2", size=2)))
    assert gathered.findings == [Finding("id", "twin", 2)]
    assert sent(gathered) == [["twin 1", "twin 2"]]


def test_of_partitions_given_up_nothing_is_kept_and_of_others_all() -> None:
    snapshots = gate()
    snapshots.receive(records(*of(1, "a", size=3)))
    snapshots.receive(records(*of(1, "b"), partition=1))
    snapshots.forget([1])
    assert (offsets(snapshots.held()), snapshots.bytes) == ([0], 10)
    again = snapshots.receive(records(*of(1, "b", "c"), partition=1))
    assert sent(again) == [["a", "b", "c"]]


def test_a_snapshot_that_went_out_is_forgotten_with_its_partitions_as_it_may_come_again() -> None:
    snapshots = gate()
    snapshots.receive(records(*of(1, "a", size=1)))
    snapshots.forget([0])
    assert sent(snapshots.receive(records(*of(1, "a", size=1)))) == [["a"]]


def test_a_run_keeps_to_one_lane() -> None:
    decoded = records(*of(1, "a", "b", size=2))
    decoded.apps = ["one", "other"]
    [run] = gate().receive(decoded).runs
    assert run.apps == ["one", "one"]
