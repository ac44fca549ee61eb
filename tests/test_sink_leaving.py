"""A sink leaves its group with nothing under way: others may have its partitions before it gives them up."""

import asyncio
from collections.abc import Collection
from time import monotonic

import pytest
from structlog.testing import capture_logs

from bridge.delivery import Direct
from tests.core.batches import DOWN
from tests.stand_ins import NEVER, NOISE, Setting, at_once, thing

pytestmark = pytest.mark.anyio


async def test_it_stays_a_member_until_its_requests_are_over() -> None:
    setting = Setting(at_once(), commit_interval=NEVER)
    setting.api.open.clear()
    setting.topic.produce(thing(1), thing(2))
    async with setting.running():
        await setting.until(lambda: len(setting.api.keys) == 2)
        setting.sink.stop()
        polls = len(setting.topic.limits)
        await setting.until(lambda: setting.topic.leaving or len(setting.topic.limits) > polls + 5)
        assert not setting.topic.leaving
        assert set(setting.topic.limits[polls + 1 :]) == {0}
        setting.topic.may_leave.clear()
        setting.api.open.set()
        await setting.until(lambda: setting.topic.leaving)
        assert setting.topic.committed == {0: 2}
        setting.topic.may_leave.set()
    assert setting.topic.closed


async def test_a_partition_that_goes_meanwhile_is_given_up_as_ever() -> None:
    setting = Setting(at_once(), partitions=(0, 1))
    setting.api.open.clear()
    setting.topic.produce(thing(1))
    setting.topic.produce(thing(2, "b"), partition=1)
    async with setting.running():
        await setting.until(lambda: len(setting.api.keys) == 2)
        setting.sink.stop()
        setting.topic.revoke(1)
        setting.api.open.set()
    assert sorted(setting.api.accepted) == [("a", 1), ("b", 2)]
    assert setting.topic.committed == {0: 1, 1: 1}


async def test_it_does_not_wait_for_what_an_earlier_owner_left() -> None:
    """Which comes only when the transactions of one that died have ended."""

    class NotYet(Direct):
        async def assigned(self, partitions: Collection[int]) -> None:
            reading.append(partitions)
            setting.changes.happened()
            await asyncio.Event().wait()

    reading: list[Collection[int]] = []
    setting = Setting(at_once(), delivery=NotYet)
    setting.topic.produce(thing(1))
    async with setting.running():
        await setting.until(lambda: reading)
    assert (setting.topic.closed, setting.api.accepted, setting.topic.commits) == (True, [], [{}])


async def test_it_waits_for_what_does_not_end_once() -> None:
    setting = Setting(at_once(), drain_deadline=0.05)
    setting.dead_letters.open.clear()
    setting.topic.produce(NOISE)
    with capture_logs() as logs:
        async with setting.running():
            await setting.until(lambda: setting.engine.books.received)
    assert [log["event"] for log in logs].count("drain_deadline_passed") == 1


@pytest.mark.parametrize("revoked_meanwhile", [False, True])
async def test_while_it_leaves_no_request_begins(revoked_meanwhile: bool) -> None:
    setting = Setting(at_once(), partitions=(0, 1), drain_deadline=0.05)
    setting.api.answer = lambda app, docs: DOWN
    setting.dead_letters.open.clear()
    setting.topic.produce(thing(1))
    setting.topic.produce(NOISE, partition=1)
    setting.topic.may_leave.clear()
    async with setting.running():
        await setting.until(lambda: setting.engine.wake_at() is not None)
        setting.sink.stop()
        if revoked_meanwhile:
            await setting.until(lambda: setting.topic.limits[-1] == 0)
            setting.topic.revoke(1)
        await setting.until(lambda: setting.topic.leaving)
        requests, due = len(setting.api.keys), asyncio.Event()
        wake_at = setting.engine.wake_at()
        assert wake_at is not None
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, wake_at - monotonic()) + 0.01, due.set)
        await due.wait()
        assert len(setting.api.keys) == requests
        setting.topic.may_leave.set()
    assert setting.engine.books.handed_over == 2
