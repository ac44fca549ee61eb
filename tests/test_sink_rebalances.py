"""Partitions come and go while a sink has their records under way."""

import asyncio
from collections.abc import Collection, Sequence

import pytest

from bridge.core.batcher import Batch
from bridge.core.outcome import Accepted, Outcome, Throttled
from bridge.core.ports import Fenced
from bridge.core.record import Decoded
from bridge.delivery import Direct
from tests.core.records import limits
from tests.stand_ins import NEVER, NOISE, PATIENCE, Api, Message, Setting, at_once, thing

pytestmark = pytest.mark.anyio


async def test_a_partition_is_drained_before_it_goes() -> None:
    """With records in flight, queued and in an open batch."""
    setting = Setting(limits(max_records=4, max_age=NEVER, in_flight=1), partitions=(0, 1))
    setting.api.open.clear()
    setting.topic.produce(*(thing(n) for n in range(10)))
    setting.topic.produce(thing(100), partition=1)
    async with setting.running():
        await setting.until(lambda: setting.api.keys)
        setting.topic.revoke(0)
        setting.api.open.set()
        await setting.until(lambda: setting.engine.offsets.partitions == {1})
        assert setting.topic.committed[0] == 10
        assert setting.engine.books.handed_over == 0
        setting.topic.produce(thing(101), thing(10), partition=1)
    assert len(set(setting.api.accepted)) == len(setting.api.accepted) >= 11


async def test_a_partition_goes_without_waiting_for_what_others_have_under_way() -> None:
    setting = Setting(at_once(), partitions=(0, 1), drain_deadline=NEVER)
    setting.dead_letters.open.clear()
    setting.topic.produce(thing(1))
    setting.topic.produce(NOISE, partition=1)
    async with setting.running():
        await setting.until(lambda: setting.engine.books.received == 2 and setting.api.accepted)
        setting.topic.revoke(0)
        await setting.until(lambda: setting.engine.offsets.partitions == {1})
        assert setting.topic.committed[0] == 1
        setting.dead_letters.open.set()


async def test_a_partition_that_is_lost_is_not_drained_nor_committed() -> None:
    setting = Setting(limits(max_age=NEVER), partitions=(0, 1), commit_interval=NEVER)
    setting.topic.produce(thing(1), thing(2))
    async with setting.running():
        await setting.until(lambda: setting.engine.books.received == 2)
        setting.topic.lose(0)
        await setting.until(lambda: setting.engine.offsets.partitions == {1})
    assert setting.engine.books.handed_over == 2
    assert setting.api.keys == []
    assert 0 not in setting.topic.committed


async def test_a_partition_that_comes_back_is_read_again_from_its_commit() -> None:
    setting = Setting(at_once())
    setting.api.answer = lambda app, docs: Throttled(429, retry_after=NEVER)
    setting.topic.produce(thing(1), thing(2))
    async with setting.running():
        await setting.until(lambda: setting.engine.books.received == 2)
        setting.topic.revoke(0)
        await setting.until(lambda: not setting.engine.offsets.partitions)
        setting.topic.produce(thing(3, "b"))
        setting.api.answer = lambda app, docs: Accepted()
        setting.topic.assign(0)
        await setting.until(lambda: setting.api.accepted == [("b", 3)])
        assert setting.engine.books.received == 5
        assert setting.engine.books.handed_over == 2
        assert setting.topic.committed.get(0, 0) == 0


async def test_what_is_given_up_while_it_is_decoded_is_not_received() -> None:
    """A lost journal takes a partition away between two rebalances."""
    setting = Setting(at_once(), partitions=(0, 1))
    loop, decode = asyncio.get_running_loop(), setting.decoder.decode

    def losing(messages: Sequence[Message]) -> Decoded:
        if {message.partition() for message in messages} == {0, 1}:
            asyncio.run_coroutine_threadsafe(setting.sink.lost([0]), loop).result(PATIENCE)
        return decode(messages)

    setting.decoder.decode = losing  # type: ignore[method-assign]
    setting.topic.produce(thing(1))
    setting.topic.produce(thing(2), partition=1)
    async with setting.running():
        await setting.until(lambda: setting.api.accepted)
    assert setting.api.accepted == [("a", 2)]
    assert setting.engine.books.received == 1


async def test_rebalances_are_counted() -> None:
    setting = Setting(at_once(), partitions=(0, 1))

    def counted(event: str) -> float | None:
        labels = {"stream": "things", "event": event}
        return setting.metrics.registry.get_sample_value("bridge_rebalances_total", labels)

    async with setting.running():
        await setting.until(lambda: counted("assigned") == 1)
        setting.topic.revoke(0)
        await setting.until(lambda: counted("revoked") == 1)
        assert counted("lost") is None
        setting.topic.lose(1)
        await setting.until(lambda: counted("lost") == 1)


async def test_a_defect_while_partitions_are_taken_over_ends_it() -> None:
    class Defective(Direct):
        async def assigned(self, partitions: Collection[int]) -> None:
            raise ZeroDivisionError

    failure = await Setting(at_once(), delivery=Defective).run_to_its_failure()
    assert failure.subgroup(ZeroDivisionError) is not None


class Refusing(Direct):
    """Refuses the first batch, as if another process had the right to write its journal."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self.refused = False

    async def send(self, batch: Batch) -> Outcome:
        if not self.refused:
            self.refused = True
            raise Fenced
        return await super().send(batch)


async def test_a_partition_that_nobody_else_has_after_all_is_taken_back() -> None:
    setting = Setting(at_once(), delivery=Refusing, take_back=0.0)
    setting.topic.produce(thing(1), thing(2))
    async with setting.running():
        await setting.until(lambda: setting.topic.committed == {0: 2})
        assert setting.sink.not_ready() == []
    assert set(setting.api.accepted) == {("a", 1), ("a", 2)}


async def test_it_is_not_taken_back_before_the_group_could_have_told() -> None:
    setting = Setting(at_once(), delivery=Refusing)
    setting.topic.produce(thing(1))
    async with setting.running():
        await setting.until(lambda: "journal of partitions [0]" in " ".join(setting.sink.not_ready()))
        polls = len(setting.topic.limits)
        await setting.until(lambda: len(setting.topic.limits) > polls + 5)
        assert setting.api.accepted == []
        setting.topic.revoke(0)
        await setting.until(lambda: setting.sink.not_ready() == [])
