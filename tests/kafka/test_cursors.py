"""Cursors on Kafka: with their records or not at all, by the newest owner only, and never overlooked."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions
from structlog.testing import capture_logs

from bridge.core.errors import BridgeError
from bridge.core.ports import Fenced
from bridge.kafka.cursor_topic import CursorTopic, CursorUnusable, partition_of
from bridge.kafka.cursors import CursorStore
from bridge.kafka.fenced_producer import ProducerRecord
from tests.flows.process import eventually
from tests.kafka.test_fenced_producer import values
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

EVENTS, APPS = "audit_events", "apps"  # on different ones of 4 partitions


class Bridges:
    """Processes of one group that share a cursor topic, and a topic for records."""

    def __init__(self, kafka: Cluster[Broker], partitions: int = 4) -> None:
        self.kafka = kafka
        self.settings = {"bootstrap.servers": kafka.bootstrap}
        self.cursors = kafka.create_topic("cursors", partitions, cleanup_policy="compact")
        self.output = kafka.create_topic("output")
        self.group = kafka.unique("group")

    def process(self) -> CursorStore:
        return CursorStore(self.settings, self.cursors, self.group)

    def kept(self) -> CursorTopic:
        return CursorTopic(self.settings, self.cursors, self.group)

    def record(self, value: bytes) -> ProducerRecord:
        return ProducerRecord(self.output, b"key", value)

    def written(self) -> list[bytes | None]:
        """What a reader of committed records sees."""
        return values(self.kafka, self.output)

    def put(self, key: str, value: bytes, partition: int) -> None:
        producer = Producer(self.settings)
        producer.produce(self.cursors, value, key.encode(), partition)
        assert producer.flush(30) == 0


@pytest.fixture
def bridges(any_kafka: Cluster[Broker]) -> Bridges:
    return Bridges(any_kafka)


@pytest.fixture
def real_bridges(kafka: Cluster[Broker]) -> Bridges:
    return Bridges(kafka)


def refused(logged: Sequence[Mapping[str, Any]]) -> bool:
    return any(line["event"] == "cursor_not_written" for line in logged)


def play(scene: Callable[[Bridges], Coroutine[Any, Any, None]], bridges: Bridges) -> None:
    asyncio.run(asyncio.wait_for(scene(bridges), 90))


def test_the_next_owner_reads_what_was_remembered_and_not_forgotten(bridges: Bridges) -> None:
    async def scene(bridges: Bridges) -> None:
        first = bridges.process()
        assert await first.take_over(EVENTS) == {}
        await first.take_over(APPS)
        await first.write(EVENTS, [bridges.record(b"1")], {"position": {"at": 1}, "seen": {"ids": ["a"]}})
        await first.write(APPS, [], {"position": {"at": 7}, "app/with slash": {"digest": "x"}})
        await first.write(EVENTS, [bridges.record(b"2")], {"position": {"at": 2}, "seen": None})
        assert await bridges.process().take_over(EVENTS) == {"position": {"at": 2}}
        assert await bridges.process().take_over(APPS) == {
            "position": {"at": 7},
            "app/with slash": {"digest": "x"},
        }

    play(scene, bridges)
    assert bridges.written() == [b"1", b"2"]


def test_all_cursors_are_read_without_taking_them_over(bridges: Bridges) -> None:
    async def scene(bridges: Bridges) -> None:
        owner = bridges.process()
        await owner.take_over(EVENTS)
        await owner.take_over(APPS)
        await owner.write(EVENTS, [], {"position": {"at": 1}})
        await owner.write(APPS, [], {"position": {"at": 2}})
        await owner.write(APPS, [], {"position": None})
        kept = bridges.kept().read()
        assert {source: each.cursor() for source, each in kept.items()} == {EVENTS: {"position": {"at": 1}}}
        assert kept[EVENTS].partitions == {partition_of(EVENTS, 4)}
        await owner.write(EVENTS, [bridges.record(b"still the owner")], {})

    play(scene, bridges)
    assert bridges.written() == [b"still the owner"]


@pytest.mark.real_kafka
def test_an_earlier_owner_can_write_no_more(real_bridges: Bridges) -> None:
    async def scene(bridges: Bridges) -> None:
        zombie, owner = bridges.process(), bridges.process()
        await zombie.take_over(EVENTS)
        await zombie.take_over(APPS)
        await zombie.write(EVENTS, [bridges.record(b"before")], {"position": {"at": 1}})
        assert await owner.take_over(EVENTS) == {"position": {"at": 1}}
        for _ in range(2):
            with pytest.raises(Fenced):
                await zombie.write(EVENTS, [bridges.record(b"too late")], {"position": {"at": 9}})
        await zombie.write(APPS, [bridges.record(b"another source")], {})
        await owner.write(EVENTS, [bridges.record(b"owner")], {"position": {"at": 2}})
        assert await zombie.take_over(EVENTS) == {"position": {"at": 2}}
        await zombie.write(EVENTS, [bridges.record(b"taken back")], {})
        with pytest.raises(Fenced):
            await owner.write(EVENTS, [bridges.record(b"too late")], {})

    play(scene, real_bridges)
    assert real_bridges.written() == [b"another source", b"before", b"owner", b"taken back"]


@pytest.mark.real_kafka
def test_what_a_crash_left_open_counts_for_nothing(real_bridges: Bridges) -> None:
    async def scene(bridges: Bridges) -> None:
        first = bridges.process()
        await first.take_over(EVENTS)
        await first.write(EVENTS, [bridges.record(b"1")], {"position": {"at": 1}})
        crashed = Producer({**bridges.settings, "transactional.id": f"{bridges.group}.{EVENTS}"})
        crashed.init_transactions(30)
        crashed.begin_transaction()
        crashed.produce(bridges.output, b"half", b"key")
        place = partition_of(EVENTS, 4)
        crashed.produce(bridges.cursors, b'{"at": 9}', f"{EVENTS}/position".encode(), place)
        assert crashed.flush(30) == 0
        assert await bridges.process().take_over(EVENTS) == {"position": {"at": 1}}

    play(scene, real_bridges)
    assert real_bridges.written() == [b"1"]


@pytest.mark.real_kafka
def test_a_record_that_its_topic_never_takes_ends_in_a_sentence(kafka: Cluster[Broker]) -> None:
    async def scene(bridges: Bridges) -> None:
        store = bridges.process()
        await store.take_over(EVENTS)
        small = kafka.create_topic("small", max_message_bytes=1000)
        too_long = ProducerRecord(small, b"k", b"x" * 2000)
        with pytest.raises(BridgeError, match=f"topic {small} takes no such record, of 2001 bytes"):
            await store.write(EVENTS, [too_long], {"position": {"at": 1}})
        assert bridges.kept().read() == {}

    play(scene, Bridges(kafka))


@pytest.mark.real_kafka
def test_what_is_refused_for_now_is_tried_until_it_is_taken(kafka: Cluster[Broker]) -> None:
    """A partition that is not there yet stands for all that goes away by itself."""

    async def scene(bridges: Bridges) -> None:
        often = {**bridges.settings, "topic.metadata.refresh.interval.ms": 200}
        store = CursorStore(often, bridges.cursors, bridges.group)
        await store.take_over(EVENTS)
        early = ProducerRecord(bridges.output, b"key", b"early", partition=4)
        with capture_logs() as logged:
            writing = asyncio.create_task(store.write(EVENTS, [early], {"position": {"at": 1}}))
            await asyncio.to_thread(eventually, lambda: refused(logged), "it was refused")
            admin = AdminClient({**bridges.settings})
            admin.create_partitions([NewPartitions(bridges.output, 5)])[bridges.output].result(30)
            await writing

    bridges = Bridges(kafka)
    play(scene, bridges)
    assert bridges.written() == [b"early"]
    assert bridges.kept().read()[EVENTS].cursor() == {"position": {"at": 1}}


@pytest.mark.real_kafka
def test_an_entry_may_be_long(kafka: Cluster[Broker]) -> None:
    async def scene(bridges: Bridges) -> None:
        bridges.cursors = kafka.create_topic(
            "long", cleanup_policy="compact", max_message_bytes=16 * 1024 * 1024
        )
        store = bridges.process()
        await store.take_over(EVENTS)
        seen = {"ids": ["x" * 36] * 100_000}
        await store.write(EVENTS, [], {"seen": seen})
        assert await bridges.process().take_over(EVENTS) == {"seen": seen}

    play(scene, Bridges(kafka))


def test_a_cursor_on_another_partition_never_passes_for_none(bridges: Bridges) -> None:
    elsewhere = (partition_of(EVENTS, 4) + 1) % 4
    bridges.put(f"{EVENTS}/position", b'{"at": 1}', elsewhere)

    async def scene(bridges: Bridges) -> None:
        with pytest.raises(CursorUnusable, match=f"audit_events is on partition {elsewhere} .*was changed"):
            await bridges.process().take_over(EVENTS)
        assert await bridges.process().take_over(APPS) == {}

    play(scene, bridges)
    assert bridges.kept().read()[EVENTS].partitions == {elsewhere}


@pytest.mark.parametrize("value", [b"{", b"[]", b""])
def test_an_entry_that_nobody_can_read_is_named(bridges: Bridges, value: bytes) -> None:
    bridges.put(f"{EVENTS}/position", value, partition_of(EVENTS, 4))

    async def scene(bridges: Bridges) -> None:
        with pytest.raises(
            CursorUnusable, match="the entry audit_events/position among the cursors is no JSON"
        ):
            await bridges.process().take_over(EVENTS)

    play(scene, bridges)


def test_records_of_others_on_the_topic_are_passed_over(bridges: Bridges) -> None:
    bridges.put("audit_events_of_another/position", b'{"at": 1}', partition_of(EVENTS, 4))

    async def scene(bridges: Bridges) -> None:
        assert await bridges.process().take_over(EVENTS) == {}

    play(scene, bridges)


@pytest.mark.real_kafka
def test_a_topic_that_is_not_there_is_not_made_by_asking(kafka: Cluster[Broker]) -> None:
    topic = CursorTopic({"bootstrap.servers": kafka.bootstrap}, kafka.unique("nowhere"), "group")
    for _ in range(2):
        with pytest.raises(BridgeError, match="does not exist; create it with"):
            topic.take_over(EVENTS)


def test_the_partition_of_a_source_never_changes() -> None:
    """Cursors are looked for there by all versions of the bridge."""
    names = ("audit_events", "executions", "workflows", "apps")
    assert [partition_of(name, 12) for name in names] == [1, 6, 2, 2]
