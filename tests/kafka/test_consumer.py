"""A member of a group: what becomes of partitions that go and come back."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Consumer as KafkaConsumer

from bridge.kafka.consumer import RETRY_SECONDS, STARTS_SECONDS, Consumer, starts
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

SECONDS = 30.0
RECORDS = 40
FEW = {"queued.min.messages": 1_000}


class Member:
    """Remembers which partitions it has, and which records came from them."""

    def __init__(self, kafka: Cluster[Broker], topic: str, changes: Mapping[str, int] = {}) -> None:
        self.owned: set[int] = set()
        self.read: set[tuple[int | None, int | None]] = set()
        settings = {
            "bootstrap.servers": kafka.bootstrap,
            "session.timeout.ms": 6000,
            "max.poll.interval.ms": 6000,
            **changes,
        }
        self.consumer = Consumer(settings, topic, f"group-of-{topic}")

    async def assigned(self, partitions: list[int]) -> None:
        self.owned |= {*partitions}

    async def revoked(self, partitions: list[int]) -> dict[int, int]:
        self.owned -= {*partitions}
        return {}

    async def lost(self, partitions: list[int]) -> None:
        self.owned -= {*partitions}

    async def poll(self, limit: int, holds: Callable[[], bool]) -> None:
        """Polls until it holds."""
        async with asyncio.timeout(SECONDS):
            while not holds():
                messages = await self.consumer.poll(limit, 0.05)
                self.read |= {(message.partition(), message.offset()) for message in messages}


async def joined(kafka: Cluster[Broker], topic: str) -> Member:
    made = Member(kafka, topic)
    await made.consumer.start(made, lambda offsets: None)
    return made


@pytest.mark.anyio
@pytest.mark.real_kafka
async def test_a_partition_that_went_while_it_was_paused_is_read_when_it_comes_back(
    kafka: Cluster[Broker],
) -> None:
    topic = kafka.create_topic("usage", 4)
    first = await joined(kafka, topic)
    await first.poll(0, lambda: len(first.owned) == 4)
    await first.consumer.poll(0, 0.05)  # without room for records it pauses all that it has
    second = await joined(kafka, topic)
    await asyncio.gather(*(each.poll(0, lambda: len(second.owned) == 2) for each in (first, second)))
    await first.consumer.poll(1, 0.05)  # it has room again, and goes on with what is left to it
    leaving = asyncio.create_task(second.consumer.close())
    await first.poll(1, lambda: leaving.done() and len(first.owned) == 4)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for number in range(RECORDS):
        producer.produce(topic, b"{}", partition=number % 4)
    producer.flush(SECONDS)
    await first.poll(100, lambda: len(first.read) == RECORDS)
    await first.consumer.close()


@pytest.mark.anyio
@pytest.mark.real_kafka
@pytest.mark.parametrize(
    ("settings", "size", "least", "most"),
    [({}, 1_000, 10_000, 14_000), (FEW, 1_000, 1_000, 5_000), ({}, 10_000, 1_000, 2_500)],
)
async def test_what_is_fetched_ahead_is_bounded_and_the_settings_have_the_last_word(
    kafka: Cluster[Broker], settings: dict[str, int], size: int, least: int, most: int
) -> None:
    """By records, or by bytes where they are large; the last fetch brings a megabyte more than that."""
    topic = kafka.create_topic("usage", 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "queue.buffering.max.messages": 50_000})
    for _ in range(40_000_000 // size):
        producer.produce(topic, b"x" * size)
    producer.flush(SECONDS)
    member = Member(kafka, topic, {"statistics.interval.ms": 100, **settings})
    await member.consumer.start(member, lambda offsets: None)
    await member.poll(1, lambda: (member.consumer.statistics.fetched or 0) >= least)
    enough = len(member.read) + 50
    await member.poll(1, lambda: len(member.read) >= enough)
    assert (member.consumer.statistics.fetched or 0) < most
    await member.consumer.close()


@pytest.mark.anyio
@pytest.mark.real_kafka
async def test_a_commit_of_who_is_no_member_any_more_is_passed_over(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("usage", 4)
    first = await joined(kafka, topic)
    await first.poll(0, lambda: len(first.owned) == 4)
    second = await joined(kafka, topic)
    # The first does not poll, so that the group goes on without it.
    await second.poll(0, lambda: len(second.owned) == 4)
    await first.consumer.commit({0: 1})
    await asyncio.gather(*(each.poll(0, lambda: len(first.owned) == 2) for each in (first, second)))
    assert first.owned | second.owned == {0, 1, 2, 3}
    asking = KafkaConsumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"group-of-{topic}"})
    assert asking.committed([TopicPartition(topic, 0)], timeout=SECONDS)[0].offset < 0
    asking.close()
    for each in (first, second):
        await each.consumer.close()


@pytest.mark.anyio
@pytest.mark.real_kafka
async def test_what_is_taken_again_is_read_from_where_the_group_has_committed(kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("usage", 2)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for number in range(RECORDS):
        producer.produce(topic, b"{}", partition=number % 2)
    producer.flush(SECONDS)
    member = await joined(kafka, topic)
    await member.poll(100, lambda: len(member.read) == RECORDS)
    committed = TopicPartition(topic, 0, 3)
    asking = KafkaConsumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"group-of-{topic}"})
    member.owned.clear()
    member.read.clear()
    await member.consumer.commit({0: committed.offset})
    async with asyncio.timeout(SECONDS):
        while asking.committed([TopicPartition(topic, 0)], timeout=SECONDS)[0].offset != committed.offset:
            await member.consumer.poll(1, 0.05)
    asking.close()
    await member.consumer.again([0, 7])
    assert member.owned == {0}
    await member.poll(100, lambda: len(member.read) == RECORDS // 2 - committed.offset)
    assert member.read == {(0, offset) for offset in range(committed.offset, RECORDS // 2)}
    await member.consumer.close()


@pytest.mark.anyio
@pytest.mark.real_kafka
async def test_what_cannot_be_read_anew_is_not_taken_again(
    kafka: Cluster[Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = kafka.create_topic("usage", 2)
    member = await joined(kafka, topic)
    await member.poll(0, lambda: len(member.owned) == 2)
    member.owned.clear()

    def refuse(place: TopicPartition) -> None:
        raise KafkaException(KafkaError(KafkaError._STATE))

    # As the client does where it is just about to lose the partition.
    monkeypatch.setattr(member.consumer._kafka, "seek", refuse)
    await member.consumer.again([0])
    assert member.owned == set()
    await member.consumer.close()


class Group:
    """Tells what was committed, once the coordinator is found; the time that passes is that of the waits."""

    def __init__(self, moves: int, *committed: TopicPartition) -> None:
        self.moves = moves
        self.now = 0.0
        self._committed = [*committed]

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self.moves -= 1
        if self.moves >= 0:
            raise KafkaException(KafkaError(KafkaError.NOT_COORDINATOR))
        return self._committed

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def starts(self, *partitions: TopicPartition) -> list[TopicPartition]:
        return starts(self, [*partitions], lambda: self.now, self.wait)


ASKED = (TopicPartition("usage", 0), TopicPartition("usage", 1))


def test_who_is_assigned_begins_where_the_group_has_committed_though_its_coordinator_moves() -> None:
    group = Group(3, TopicPartition("usage", 0, 7), TopicPartition("usage", 1))
    assert [each.offset for each in group.starts(*ASKED)] == [7, OFFSET_BEGINNING]
    assert group.now == 3 * RETRY_SECONDS


def test_without_an_answer_for_long_the_client_is_left_to_find_out_by_itself() -> None:
    group = Group(1000)
    assert group.starts(*ASKED) == [*ASKED]
    assert group.now == STARTS_SECONDS
    assert Group(1000).starts() == []
