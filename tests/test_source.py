"""The loop API → Kafka: what it asks, commits and remembers, and what becomes of it on bad days."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.core.errors import BridgeError
from bridge.core.outcome import Denied, Rejected, Unavailable
from bridge.core.polling import Ask, Cursor, Gap, RoundFailed, Shortened
from bridge.core.ports import Fenced
from bridge.core.stream import Operation
from bridge.productiv.client import Failed
from bridge.source import ELSEWHERE_SECONDS, FENCED_SECONDS
from tests.source_world import NAME, NOT_OURS, NOW_MS, OURS, World, details, fixed, running, written
from tests.stand_ins import Topic

pytestmark = pytest.mark.anyio


async def some_turns() -> None:
    """So that whatever may go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_a_round_remembers_is_there_when_its_write_is_done() -> None:
    seen: list[Any] = []

    def steps(cursor: Cursor, now: int) -> Iterator[Any]:
        seen.append((now, dict(cursor)))
        yield written("a", head={"position": 5}, other={"n": 1})
        seen.append(dict(cursor))
        yield written("b", other=None)
        seen.append(dict(cursor))

    world = World([steps], kept={"head": {"position": 4}})
    async with running(world):
        await world.quiet()
        assert (world.source.position, world.source.entries, world.source.owned) == (0.005, 1, True)
    assert seen == [
        (NOW_MS, {"head": {"position": 4}}),
        {"head": {"position": 5}, "other": {"n": 1}},
        {"head": {"position": 5}},
    ]
    assert world.keys == ["a", "b"]
    assert world.kept == {"head": {"position": 5}}
    assert world.source.emitted == {NAME: 2}
    assert world.metric("bridge_rounds_total", result="done") == 1


async def test_questions_of_a_step_are_asked_side_by_side_within_the_bound_and_answered_in_order() -> None:
    answers: list[Any] = []

    def steps(cursor: Cursor, now: int) -> Iterator[Any]:
        answers.append((yield details("a", "b", "gone", "c", "d")))

    gone = Rejected(404, "the API answered 404 Not Found", whole=True)
    world = World([steps], answers={"gone": gone})
    async with running(world):
        await world.quiet()
    [pages] = answers
    assert [page and page.rows[0]["applicationId"] for page in pages] == ["a", "b", None, "c", "d"]
    assert world.most_asking == 2


async def test_the_next_question_is_asked_while_a_write_is_under_way_and_the_next_write_waits() -> None:
    world = World([fixed(written("a"), details("x"), written("b"))], patient=asyncio.Event())
    assert world.patient is not None
    async with running(world):
        await world.changes.until(lambda: world.asked)
        await some_turns()
        assert (world.keys, world.writing) == ([], ["a"])
        world.patient.set()
        await world.quiet()
    assert world.keys == ["a", "b"]


async def test_a_round_that_fails_ends_with_the_write_under_way() -> None:
    """Else it would be read again while Kafka takes it, and go out twice."""
    seen: list[Any] = []

    def after(cursor: Cursor, now: int) -> Iterator[Any]:
        seen.append((dict(cursor), list(world.keys)))
        yield from ()

    failing = fixed(written("a", head={"position": 5}), details("bad"))
    world = World([failing, after], answers={"bad": Unavailable("down")}, patient=asyncio.Event())
    assert world.patient is not None
    async with running(world):
        await world.changes.until(lambda: world.asked)
        await some_turns()
        assert (world.source.failed, world.writing) == (None, ["a"])
        world.patient.set()
        await world.quiet(2)
    assert seen == [({"head": {"position": 5}}, ["a"])]


async def test_a_partition_that_goes_waits_neither_for_an_answer_nor_for_the_write_beside_it() -> None:
    world = World([fixed(written("a"), details("x"))], patient=asyncio.Event(), silent=True)
    async with running(world):
        await world.changes.until(lambda: world.writing and world.asked)
        world.topic.revoke(OURS)
        await world.changes.until(lambda: not world.source.owned)
    assert world.keys == []


async def test_what_cannot_be_written_beside_a_question_is_not_taken_for_written() -> None:
    seen: list[Any] = []

    def after(cursor: Cursor, now: int) -> Iterator[Any]:
        seen.append(dict(cursor))
        yield from ()

    kept = {"head": {"position": 4}}
    world = World([fixed(written("a", head={"position": 5}), details("x")), after], kept=dict(kept))
    world.trouble = [BridgeError("the record is too large")]
    async with running(world):
        await world.quiet(2)
    assert seen == [kept]


async def test_parameters_go_along() -> None:
    ask = Ask(Operation.GET_AUDIT_EVENTS, parameters={"page": "2"})
    world = World([fixed([ask])])
    async with running(world):
        await world.quiet()
    assert world.asked == [(Operation.GET_AUDIT_EVENTS, {}, {"page": ["2"]})]


@pytest.mark.parametrize(
    ("failed", "label", "ready"),
    [
        (Unavailable("no connection"), "unavailable", True),
        (Denied(403, "not for you"), "denied", False),
        (Rejected(400, "a bad range"), "rejected", False),
    ],
)
async def test_a_question_without_an_answer_ends_the_round_and_keeps_what_was_written(
    failed: Failed, label: str, ready: bool
) -> None:
    ended: list[str] = []

    def steps(cursor: Cursor, now: int) -> Iterator[Any]:
        try:
            yield written("a", head={"position": 5})
            yield details("bad")
            yield written("never")
        finally:
            ended.append("closed")

    world = World([steps], answers={"bad": failed})
    async with running(world):
        await world.quiet()
        reasons = world.source.not_ready()
        assert world.source.failed is not None
        assert world.source.failed.label == label
    assert ended == ["closed"]
    assert world.keys == ["a"]
    assert world.metric("bridge_rounds_total", result=label) == 1
    assert (reasons == []) == ready
    assert ready or "has no answer" in reasons[0]


async def test_it_waits_its_interval_after_a_good_round_and_longer_and_longer_after_bad_ones() -> None:
    def bad(cursor: Cursor, now: int) -> Iterator[Any]:
        raise RoundFailed("vanished", "too many are gone")
        yield

    world = World([fixed(), bad, bad, bad, fixed(), fixed()])
    async with running(world):
        await world.quiet(6)
    assert world.slept == [75.0, 0.75, 1.5, 3.0, 75.0, 75.0]


async def test_a_gap_and_a_shorter_overlap_are_told() -> None:
    shortened = [fixed(Shortened(NOW_MS + minute * 60_000)) for minute in (0, 1, 59, 60, 90, 120)]
    world = World([fixed(Gap(1_000, 61_000)), *shortened])
    with capture_logs() as logged:
        async with running(world):
            await world.quiet(7)
    assert world.metric("bridge_gap_seconds_total") == 60
    assert world.metric("bridge_overlaps_shortened_total") == 6
    lines = [(line["event"], line["begin"][11:16]) for line in logged if "begin" in line]
    assert lines == [
        ("gap", "00:00"),
        *(("overlap_shortened", at) for at in ("00:00", "01:00", "02:00")),  # once an hour while it lasts
    ]


async def test_a_partition_that_goes_stops_the_round_and_another_owner_goes_on() -> None:
    world = World([fixed(written("a", head={"position": 1})), fixed(written("b"))])
    world.patient = asyncio.Event()
    async with running(world):
        await world.changes.until(lambda: world.source.owned)
        world.topic.revoke(OURS)
        await world.changes.until(lambda: not world.source.owned)
        assert (world.keys, world.source.position, world.source.not_ready()) == ([], None, [])
        world.patient.set()
        world.topic.assign(OURS)
        await world.quiet()
    assert world.taken_over == 2
    assert world.keys == ["b"]


async def test_a_failure_is_left_with_the_partition() -> None:
    """Or a process would not be ready for a source that goes well elsewhere."""
    world = World([fixed(details("bad"))], answers={"bad": Denied(403, "not for you")})
    async with running(world):
        await world.quiet()
        assert world.source.not_ready()
        world.topic.revoke(OURS)
        await world.changes.until(lambda: not world.source.owned)
        assert world.source.not_ready() == []


async def test_another_partition_is_not_its_business() -> None:
    world = World([fixed(written("a"))])
    world.topic = world.source._membership = Topic(world.changes, [NOT_OURS])
    async with running(world):
        await world.changes.until(lambda: not world.source.not_ready())
        assert not world.source.owned
    assert world.taken_over == 0


async def test_who_was_fenced_reads_the_cursor_anew_before_it_writes_again() -> None:
    seen: list[Any] = []

    def again(cursor: Cursor, now: int) -> Iterator[Any]:
        seen.append(dict(cursor))
        yield written("b")

    def overtaken(cursor: Cursor, now: int) -> Iterator[Any]:
        world.kept = {"head": {"position": 9}}
        yield written("a")

    world = World([overtaken, again], trouble=[Fenced()])
    async with running(world):
        await world.quiet(3)
    assert world.slept[0] == FENCED_SECONDS
    assert (world.taken_over, seen, world.keys) == (2, [{"head": {"position": 9}}], ["b"])


async def test_what_can_never_be_written_is_told_and_not_skipped() -> None:
    world = World([fixed(written("a")), fixed(written("b"))], trouble=[BridgeError("the record is too long")])
    async with running(world):
        await world.quiet(1)
        assert world.metric("bridge_rounds_total", result="refused") == 1
        await world.quiet(2)
        assert world.source.not_ready() == []
    assert world.keys == ["b"]


async def test_a_defect_ends_it() -> None:
    def broken(cursor: Cursor, now: int) -> Iterator[Any]:
        raise ZeroDivisionError
        yield

    world = World([broken])
    with pytest.raises(ExceptionGroup) as group:
        await world.source.run()
    assert group.group_contains(ZeroDivisionError, depth=1)


@pytest.mark.parametrize("good", [True, False])
async def test_once_is_one_round_and_says_whether_it_went_well(good: bool) -> None:
    world = World([fixed(written("a"))], trouble=[] if good else [BridgeError("no")])
    assert await world.source.run(once=True) is good
    assert world.slept == []
    assert world.topic.closed


async def test_once_leaves_to_another_process_what_is_its() -> None:
    world = World([fixed(written("a"))])
    world.topic = world.source._membership = Topic(world.changes, [NOT_OURS])
    assert await world.source.run(once=True) is True
    assert world.keys == []


async def test_once_waits_for_a_group_that_is_not_in_order_yet() -> None:
    world = World([fixed(written("a"))])
    world.topic = world.source._membership = Topic(world.changes, [NOT_OURS])
    world.topic.log[OURS] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.topic.assign(OURS)
        await world.changes.until(lambda: world.source.owned)

    world.source._sleep = sleep
    assert await world.source.run(once=True) is True
    assert (world.keys, slept) == (["a"], [ELSEWHERE_SECONDS])


async def test_once_waits_only_once_however_often_the_group_changes() -> None:
    world = World([fixed(written("a"))])
    world.topic = world.source._membership = Topic(world.changes, [NOT_OURS])
    world.topic.log[NOT_OURS + 1] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        polls = len(world.topic.limits)
        world.topic.assign(NOT_OURS + 1)
        await world.changes.until(lambda: len(world.topic.limits) > polls + 2)

    world.source._sleep = sleep
    assert await world.source.run(once=True) is True
    assert slept == [ELSEWHERE_SECONDS]
