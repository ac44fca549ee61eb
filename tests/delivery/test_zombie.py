"""A process that was paused while its partition went to another must not send what that one has in hand."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from bridge.core.journal import Entry, State
from tests.delivery.world import Process, Record, World

T = TypeVar("T")


class Paused(World):
    """Whoever writes to the journal first is held up before its write arrives."""

    paused: asyncio.Event
    resumed: asyncio.Event

    async def do(self, effect: Callable[[], T]) -> T:
        if effect.__qualname__.startswith("Lease.write") and not self.paused.is_set():
            self.paused.set()
            await self.resumed.wait()
        return await super().do(effect)


def test_a_zombie_sends_nothing_once_the_new_owner_has_read_the_journal() -> None:
    world = Paused([Record((0, n), "a") for n in range(3)])
    asyncio.run(_play(world))
    assert sorted(world.accepted.elements()) == [(0, 0), (0, 1), (0, 2)]
    assert len(world.sent) == 1
    assert not world.parked


class ParksLate(World):
    """While the next owner takes a partition over, the one before parks until it is fenced from that."""

    async def do(self, effect: Callable[[], T]) -> T:
        if effect.__qualname__.startswith("ParkingLot.fence"):
            self.moved += [record.place for record in self.records]
            entry = Entry.of("late", "a", self.records, State.MOVED, 0)
            self.journal[0, entry.batch] = entry
        return await super().do(effect)


def test_what_a_zombie_has_parked_in_the_end_is_neither_parked_again_nor_sent() -> None:
    world = ParksLate([Record((0, n), "a") for n in range(3)])
    owner = Process(world, parks="a")
    assert owner.run()
    assert sorted(world.moved) == [(0, 0), (0, 1), (0, 2)]
    assert not world.sent
    assert owner.books.settled_before == 3


class LeftOpen(World):
    """The one before died in a write to the journal: until that is taken over, nobody reads past it."""

    async def do(self, effect: Callable[[], T]) -> T:
        assert not effect.__qualname__.startswith("ParkingLot.left") or self.owners[0]
        return await super().do(effect)


def test_what_is_parked_is_read_when_no_earlier_owner_holds_that_up() -> None:
    world = LeftOpen([Record((0, n), "a") for n in range(3)])
    assert Process(world, parks="a").run()
    assert sorted(world.moved) == [(0, 0), (0, 1), (0, 2)]


async def _play(world: Paused) -> None:
    world.paused, world.resumed = asyncio.Event(), asyncio.Event()
    zombie, owner = Process(world), Process(world)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(zombie.sink.run())
        await world.paused.wait()
        await tasks.create_task(owner.sink.run())
        world.resumed.set()
    assert zombie.books.delivered == 0
    assert zombie.books.handed_over == 3
