"""A sink leaves its group with nothing under way: others may have its partitions before it gives them up."""

import asyncio
from dataclasses import replace
from time import monotonic

import pytest
from structlog.testing import capture_logs

from bridge.core.backoff import Backoff
from bridge.core.outcome import Unavailable
from tests.core.records import limits
from tests.stand_ins import Setting

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_it_stays_a_member_until_its_requests_are_over() -> None:
    setting = Setting(limits(max_records=1), commit_interval=1e6)
    setting.api.open.clear()
    setting.topic.produce({"app": "a", "id": 1}, {"app": "a", "id": 2})
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
    setting = Setting(limits(max_records=1), partitions=(0, 1))
    setting.api.open.clear()
    setting.topic.produce({"app": "a", "id": 1})
    setting.topic.produce({"app": "b", "id": 2}, partition=1)
    async with setting.running():
        await setting.until(lambda: len(setting.api.keys) == 2)
        setting.sink.stop()
        setting.topic.revoke(1)
        setting.api.open.set()
    assert sorted(setting.api.accepted) == [("a", 1), ("b", 2)]
    assert setting.topic.committed == {0: 1, 1: 1}


async def test_it_waits_for_what_does_not_end_once() -> None:
    setting = Setting(limits(max_records=1), drain_deadline=0.05)
    setting.dead_letters.open.clear()
    setting.topic.produce(b"\xff noise")
    with capture_logs() as logs:
        async with setting.running():
            await setting.until(lambda: setting.engine.books.received)
    assert [log["event"] for log in logs].count("drain_deadline_passed") == 1


@pytest.mark.parametrize("revoked_meanwhile", [False, True])
async def test_while_it_leaves_no_request_begins(revoked_meanwhile: bool) -> None:
    made = limits(max_records=1)
    made = replace(made, send=replace(made.send, backoff=Backoff(0.01, 0.01)))
    setting = Setting(made, partitions=(0, 1), drain_deadline=0.05)
    setting.api.answer = lambda app, docs: Unavailable("connection refused")
    setting.dead_letters.open.clear()
    setting.topic.produce({"app": "a", "id": 1})
    setting.topic.produce(b"\xff noise", partition=1)
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
