"""Each client that lives long finds out that it will never have an answer, where a new one has."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from bridge.core.errors import BridgeError
from bridge.core.record import Refused
from bridge.kafka import dead_letters, fenced_producer, lifeline, parking
from bridge.kafka.consumer import Consumer
from bridge.kafka.contact import Contact
from bridge.kafka.dead_letters import DeadLetters
from bridge.kafka.fenced_producer import FencedProducer, ProducerRecord
from bridge.kafka.journal_entries import JournalFormat
from bridge.kafka.lifeline import ClientLost
from bridge.kafka.parking import KafkaParking
from bridge.kafka.rotation import FollowingConsumer, FollowingProducer
from bridge.kafka.topic_reader import TopicReader
from tests.kafka.records import message
from tests.kafka_broker.mock import MockBroker

SECONDS = 60.0


class Town:
    """Two clusters. Clients know the first alone, also once it is gone; new ones are sent to the second."""

    def __init__(self) -> None:
        self._first, self._second = MockBroker(), MockBroker()
        self.settings: dict[str, Any] = {"bootstrap.servers": self._first.bootstrap}
        self.settings["statistics.interval.ms"] = 200
        for cluster in (self._first, self._second):
            cluster.create(["topic"])

    def move(self) -> None:
        self._first.close()
        self.settings["bootstrap.servers"] = self._second.bootstrap

    def close(self) -> None:
        self._first.close()
        self._second.close()


class Nobody:
    """Owns partitions without doing anything about it."""

    async def assigned(self, partitions: list[int]) -> None: ...

    async def revoked(self, partitions: list[int]) -> dict[int, int]:
        return {}

    async def lost(self, partitions: list[int]) -> None: ...


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    monkeypatch.setattr(lifeline, "LOST_SECONDS", 1.0)
    monkeypatch.setattr(lifeline, "BETWEEN_SECONDS", 0.2)
    monkeypatch.setattr(fenced_producer, "CALL_SECONDS", 1.0)
    monkeypatch.setattr(fenced_producer, "COMMIT_SECONDS", 0.5)
    monkeypatch.setattr(parking, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(dead_letters, "DELIVERY_SECONDS", 1)
    monkeypatch.setitem(dead_letters.FIXED, "message.timeout.ms", 1000)
    made = Town()
    yield made
    made.close()


def soon_lost(work: Callable[[], object]) -> None:
    """Works until it is found out, as those do who work."""

    async def again() -> None:
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    done = await asyncio.to_thread(work)
                    if isinstance(done, Coroutine):
                        await done
                except BridgeError:
                    continue

    with pytest.raises(ClientLost):
        asyncio.run(again())


@pytest.mark.parametrize("kind", [FollowingProducer, FollowingConsumer])
def test_a_client_that_is_lost_is_found_out_when_it_is_asked(
    town: Town, kind: type[FollowingConsumer | FollowingProducer]
) -> None:
    client = kind(town.settings, {"group.id": "group", "log_level": 0})
    assert client.answers()
    town.move()
    soon_lost(client.answers)


def test_who_writes_dead_letters_finds_it_out(town: Town) -> None:
    writer = DeadLetters(town.settings, "topic")
    refused = [Refused(message(b"{}"), "undecodable", "it is none")]
    asyncio.run(writer.write(refused))
    town.move()
    soon_lost(lambda: writer.write(refused))


@pytest.mark.parametrize("beside", [None, lambda offsets: []], ids=["alone", "with more beside"])
def test_who_writes_in_transactions_finds_it_out(town: Town, beside: Any) -> None:
    writer = FencedProducer(town.settings, "writer")
    writer.open()
    records = [ProducerRecord("topic", b"key", b"value")]
    assert writer.write(records, beside) is None
    town.move()
    soon_lost(lambda: writer.write(records, beside))


def test_who_asks_about_a_topic_finds_it_out(town: Town) -> None:
    reader = TopicReader(town.settings, "topic", patience=1.0)
    assert len(reader.partitions()) == 4
    town.move()
    soon_lost(reader.partitions)


def test_who_reads_a_topic_finds_it_out(town: Town) -> None:
    reader = TopicReader(town.settings, "topic", patience=1.0)
    assert list(reader.news()) == []
    town.move()
    soon_lost(lambda: list(reader.unread({0: 1})))


def test_who_asks_what_is_settled_of_the_parked_finds_it_out(town: Town) -> None:
    parked = KafkaParking(town.settings, "topic", "group", "journal", JournalFormat("group", "topic"))
    town.move()
    soon_lost(lambda: parked.committed([0]))


@pytest.mark.parametrize("by", ["its error", "its statistics"])
def test_a_member_of_a_group_finds_it_out(town: Town, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if by == "its error":
        town.settings["statistics.interval.ms"] = 0
    else:  # it does not always say that the last broker is gone
        monkeypatch.setattr(Contact, "__call__", lambda self, error: None)

    async def work() -> None:
        member = Consumer(town.settings, "topic", "group")
        await member.start(Nobody(), lambda offsets: None)
        async with asyncio.timeout(SECONDS):
            while not await member.ends():
                await member.poll(10, 0.1)
            town.move()
            while True:
                await member.poll(10, 0.1)

    with pytest.raises(ClientLost):
        asyncio.run(work())
