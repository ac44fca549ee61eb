"""How a sink ends: told to stop, within its drain deadline, or by a defect."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.core.outcome import Accepted, Throttled
from tests.core.records import limits
from tests.stand_ins import NEVER, NOISE, PATIENCE, Setting, at_once, thing

pytestmark = pytest.mark.anyio


# -- told to stop --------------------------------------------------------------------------------------------


async def test_after_stop_all_that_is_deliverable_is_delivered() -> None:
    """What is open, queued, in flight or on its way to the dead letters when it is told to stop."""
    setting = Setting(limits(max_records=4, max_age=NEVER, in_flight=1))
    setting.api.open.clear()
    setting.dead_letters.open.clear()
    setting.topic.produce(NOISE, *(thing(n) for n in range(10)))
    async with setting.running():
        await setting.until(lambda: setting.api.keys)
        setting.sink.stop()
        setting.api.open.set()
        setting.dead_letters.open.set()
    assert len(setting.api.accepted) == 10
    assert len(setting.dead_letters.records) == 1
    assert setting.topic.committed == {0: 11}
    assert setting.engine.books.handed_over == 0
    assert setting.engine.books.balance(0)


async def test_the_end_does_not_wait_longer_than_the_drain_deadline() -> None:
    setting = Setting(at_once(), drain_deadline=0.01)
    setting.api.open.clear()
    setting.topic.produce(thing(1), thing(2))
    with capture_logs() as logged:
        async with setting.running():
            await setting.until(lambda: len(setting.api.keys) == 2)
    assert setting.api.hung_up == 2
    assert setting.engine.books.handed_over == 2
    assert setting.engine.books.balance(0)
    assert setting.topic.committed.get(0, 0) == 0
    assert "drain_deadline_passed" in [line["event"] for line in logged]


async def passed_deadline(logged: Sequence[Mapping[str, Any]]) -> None:
    while "drain_deadline_passed" not in [line["event"] for line in logged]:  # noqa: ASYNC110
        await asyncio.sleep(0)  # a log line wakes nobody


async def test_at_the_drain_deadline_what_is_under_way_may_end_and_nothing_new_begins() -> None:
    """However often it is tried until then: what is cut off in the middle is in doubt, where that matters."""
    setting = Setting(at_once(in_flight=1), drain_deadline=0.4)
    setting.api.open.clear()
    setting.topic.produce(thing(1), thing(2))
    with capture_logs() as logged:
        async with setting.running():
            await setting.until(lambda: setting.api.keys)
            setting.sink.stop()
            await passed_deadline(logged)
            setting.api.open.set()
    assert setting.api.accepted == [("a", 1)]
    assert setting.api.hung_up == 0
    assert setting.topic.committed == {0: 1}
    assert setting.engine.books.handed_over == 1


async def test_after_the_drain_deadline_the_partitions_that_stay_go_on() -> None:
    setting = Setting(at_once(in_flight=1), partitions=(0, 1), drain_deadline=0.4)
    setting.api.open.clear()
    setting.topic.produce(thing(1), thing(2))
    with capture_logs() as logged:
        async with setting.running():
            await setting.until(lambda: setting.api.keys)
            setting.topic.produce(thing(3, "b"), partition=1)
            await setting.until(lambda: setting.engine.books.received == 3)
            setting.topic.revoke(0)
            await passed_deadline(logged)
            setting.api.open.set()
            await setting.until(lambda: setting.topic.committed == {0: 1, 1: 1})
    assert setting.engine.books.handed_over == 1


async def test_the_end_does_not_wait_for_a_dead_letter_topic_that_is_away() -> None:
    setting = Setting(at_once(), drain_deadline=0.01)
    setting.dead_letters.open.clear()
    setting.topic.produce(thing(0), NOISE, thing(2))
    async with setting.running():
        await setting.until(lambda: len(setting.api.accepted) == 2)
    assert setting.topic.committed == {0: 1}
    assert setting.engine.books.handed_over == 1


async def test_the_end_does_not_wait_for_lanes_that_wait() -> None:
    setting = Setting(at_once(), drain_deadline=NEVER)
    setting.api.answer = lambda app, docs: Throttled(429, retry_after=NEVER) if app == "a" else Accepted()
    setting.topic.produce(thing(1, "b"), thing(2, "a"), thing(3, "b"))
    async with setting.running():
        await setting.until(lambda: setting.engine.waiting)
    assert setting.topic.committed == {0: 1}
    assert setting.engine.books.handed_over == 1


# -- defects -------------------------------------------------------------------------------------------------


async def test_a_defect_while_sending_ends_it() -> None:
    setting = Setting(at_once())

    def fail(app: str, docs: object) -> Accepted:
        raise ZeroDivisionError

    setting.api.answer = fail
    setting.topic.produce(thing(1))
    failure = await setting.run_to_its_failure()
    assert failure.subgroup(ZeroDivisionError) is not None
    assert setting.topic.committed.get(0, 0) == 0


@pytest.mark.parametrize("where", ["decoder", "dead_letters", "topic"])
async def test_a_defect_anywhere_ends_it(where: str) -> None:
    setting = Setting(at_once())
    getattr(setting, where).failure = ZeroDivisionError()
    setting.topic.produce(NOISE)
    failure = await setting.run_to_its_failure()
    assert failure.subgroup(ZeroDivisionError) is not None
    assert setting.topic.committed.get(0, 0) == 0


async def test_a_defect_hangs_up_on_requests_under_way() -> None:
    setting = Setting(at_once())
    setting.api.open.clear()
    setting.topic.produce(thing(1))
    run = asyncio.create_task(setting.sink.run())
    await setting.until(lambda: setting.api.keys)
    setting.topic.failure = ZeroDivisionError()
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(run, PATIENCE)
    assert setting.api.hung_up == 1
