"""The journal on Kafka: what was acknowledged is read again, and only the newest owner may write."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bridge.core.journal import Entry, State
from bridge.core.ports import Fenced
from bridge.kafka.journal import KafkaJournal, topic_id
from bridge.kafka.journal_entries import JournalFormat
from tests.flows.process import eventually
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.mock import MockBroker


def entry(batch: str, partition: int = 0, state: State = State.OPEN) -> Entry:
    return Entry(batch, "crm", partition, ((0, 2), (5, 1)), "digest", state, 1_767_225_600_000)


class Journals:
    """Processes of one group that share a journal topic."""

    def __init__(self, kafka: Cluster[Broker]) -> None:
        self.settings: Mapping[str, Any] = {"bootstrap.servers": kafka.bootstrap}
        self.topic = kafka.create_topic("journal", 2, cleanup_policy="compact")
        self.form = JournalFormat(kafka.unique("group"), "payments")

    def process(self) -> KafkaJournal:
        return KafkaJournal(self.settings, self.topic, self.form)


@pytest.fixture
def journals(any_kafka: Cluster[Broker]) -> Journals:
    return Journals(any_kafka)


@pytest.fixture
def real_journals(kafka: Cluster[Broker]) -> Journals:
    return Journals(kafka)


def play(scene: Callable[[Journals], Coroutine[Any, Any, None]], journals: Journals) -> None:
    asyncio.run(asyncio.wait_for(scene(journals), 90))


def test_the_next_owner_reads_what_was_written_and_not_deleted(journals: Journals) -> None:
    async def scene(journals: Journals) -> None:
        first = journals.process()
        assert await first.take_over([0, 1]) == {0: [], 1: []}
        await first.lease(0).write({"a": entry("a")})
        await first.lease(0).write({"b": entry("b")})
        await first.lease(1).write({"c": entry("c", 1)})
        await first.lease(0).write({"a": entry("a", state=State.ACCEPTED)})
        first.lease(0).write_later({"b": None, "e": entry("e")})
        await first.lease(0).write({"d": entry("d")})
        left = await journals.process().take_over([0])
        assert {each.batch: each for each in left[0]} == {
            "a": entry("a", state=State.ACCEPTED),
            "d": entry("d"),
            "e": entry("e"),
        }

    play(scene, journals)


def test_writes_at_once_are_all_there_when_each_returns(journals: Journals) -> None:
    async def scene(journals: Journals) -> None:
        first = journals.process()
        await first.take_over([0])
        names = [f"batch {n}" for n in range(50)]
        await asyncio.gather(*(first.lease(0).write({name: entry(name)}) for name in names))
        left = await journals.process().take_over([0])
        assert sorted(each.batch for each in left[0]) == sorted(names)

    play(scene, journals)


@pytest.mark.real_kafka
def test_an_earlier_owner_can_write_no_more(real_journals: Journals) -> None:
    async def scene(journals: Journals) -> None:
        zombie, owner = journals.process(), journals.process()
        await zombie.take_over([0, 1])
        await zombie.lease(0).write({"a": entry("a")})
        lease = zombie.lease(0)
        assert [each.batch for each in (await owner.take_over([0]))[0]] == ["a"]
        with pytest.raises(Fenced):
            await lease.write({"b": entry("b")})
        with pytest.raises(Fenced):
            await lease.write({"c": entry("c")})
        await zombie.lease(1).write({"d": entry("d", 1)})  # which nobody took over
        await owner.lease(0).write({"e": entry("e")})
        left = await journals.process().take_over([0, 1])
        assert sorted(each.batch for each in left[0]) == ["a", "e"]
        assert [each.batch for each in left[1]] == ["d"]

    play(scene, real_journals)


@pytest.mark.real_kafka
def test_a_lease_taken_anew_by_the_same_process_ends_the_old_one(real_journals: Journals) -> None:
    async def scene(journals: Journals) -> None:
        process = journals.process()
        await process.take_over([0])
        old = process.lease(0)
        await old.write({"a": entry("a")})
        await process.take_over([0])
        with pytest.raises(Fenced):
            await old.write({"b": entry("b")})
        await process.lease(0).write({"c": entry("c")})

    play(scene, real_journals)


def test_groups_that_share_a_topic_do_not_see_each_other(journals: Journals) -> None:
    async def scene(journals: Journals) -> None:
        first = journals.process()
        await first.take_over([0])
        await first.lease(0).write({"a": entry("a")})
        other = KafkaJournal(journals.settings, journals.topic, JournalFormat("another", "payments"))
        assert await other.take_over([0]) == {0: []}

    play(scene, journals)


@pytest.mark.real_kafka
def test_a_topic_made_anew_has_another_id(kafka: Cluster[Broker]) -> None:
    settings: dict[str, Any] = {"bootstrap.servers": kafka.bootstrap}
    topic = kafka.create_topic()

    def known() -> str | None:
        with suppress(KafkaException):  # a broker knows what was made a little later
            return topic_id(settings, topic)
        return None

    eventually(lambda: known() is not None, "the topic is known")
    first = known()
    assert first == known()
    admin = AdminClient(settings)
    admin.delete_topics([topic])[topic].result()
    admin.create_topics([NewTopic(topic, num_partitions=1)])[topic].result()
    eventually(lambda: known() not in (None, first), "the new one has an id of its own")


def test_a_cluster_without_topic_ids_has_none(mock_kafka: Cluster[MockBroker]) -> None:
    assert topic_id({"bootstrap.servers": mock_kafka.bootstrap}, mock_kafka.create_topic()) is None
