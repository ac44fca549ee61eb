"""The parking topic on Kafka: records in order with all they had, and a memory that the next owner reads."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from bridge.core.batcher import Batch
from bridge.core.journal import Entry, State
from bridge.core.offsets import Offsets
from bridge.core.record import Decoded, Refused
from bridge.core.stream import Operation
from bridge.kafka.dead_letters import DeadLetters
from bridge.kafka.journal import KafkaJournal
from bridge.kafka.journal_entries import JournalFormat
from bridge.kafka.parked_messages import ParkedDecoder, ParkedMessage
from bridge.kafka.parking import KafkaParking
from tests.flows.process import eventually
from tests.kafka.test_fenced_producer import seen
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster


class Lots:
    """Processes of one group that park records of one topic."""

    def __init__(self, kafka: Cluster[Broker]) -> None:
        self.kafka = kafka
        self.settings = {"bootstrap.servers": kafka.bootstrap}
        self.topic = kafka.create_topic("records", 2)
        self.parked = kafka.create_topic("parked", 4)
        self.journal = kafka.create_topic("journal", 2, cleanup_policy="compact")
        self.group = kafka.unique("group")
        self.form = JournalFormat(kafka.unique("sink"), self.topic)

    def process(self) -> KafkaParking:
        return KafkaParking(self.settings, self.parked, self.group, self.journal, self.form)

    def produced(self, *values: bytes | None, partition: int = 0) -> list[Message]:
        """New messages of the topic."""
        producer = Producer(self.settings)
        for value in values:
            headers: Any = [("bridge.topic", b"of before"), ("from", b"a test")]
            producer.produce(
                self.topic, value, b"the key", partition, headers=headers, timestamp=1_767_225_600_000
            )
        producer.flush(30)
        found = [message for message in seen(self.kafka, self.topic) if message.partition() == partition]
        return found[-len(values) :]

    def delivered(self, offsets: dict[int, int]) -> None:
        """What the group that delivers commits."""
        consumer = Consumer({**self.settings, "group.id": self.group})
        parts = [TopicPartition(self.parked, partition, offset) for partition, offset in offsets.items()]
        consumer.commit(offsets=parts, asynchronous=False)
        consumer.close()


def batch(messages: list[Message], app: str = "crm") -> Batch:
    offsets = Offsets()
    offsets.assign([0, 1])
    made = Batch(
        app, app, Operation.PUBLISH_USERS, 0.0, list(messages), [{} for _ in messages], id="the batch"
    )
    offsets.add(made.hold, made.origins)
    return made


@pytest.fixture
def lots(any_kafka: Cluster[Broker]) -> Lots:
    return Lots(any_kafka)


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scene, 90))


async def take_over(parking: KafkaParking, partitions: list[int]) -> Mapping[str, Mapping[int, int]]:
    """As a new owner does it."""
    await parking.fence(partitions)
    return await parking.left(partitions)


class Reads:
    """A decoder that keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def decode(self, messages: Any) -> Decoded:
        self.given += messages
        return Decoded()


def test_parked_records_come_back_as_they_were(lots: Lots) -> None:
    async def scene() -> None:
        parking, messages = lots.process(), lots.produced(b"one", None)
        assert await take_over(parking, [0, 1]) == {}
        written = await parking.write(batch(messages), None)
        raw = seen(lots.kafka, lots.parked)
        assert [message.key() for message in raw] == [b"crm", b"crm"]
        assert written.last == {raw[0].partition(): raw[-1].offset()}
        assert not written.fenced
        reads = Reads()
        ParkedDecoder(reads).decode(raw)
        assert [
            (m.value(), m.key(), m.headers(), m.timestamp(), m.home, (m.partition(), m.offset()))
            for m in reads.given
        ] == [
            (
                m.value(),
                m.key(),
                m.headers(),
                m.timestamp(),
                (lots.topic, 0, m.offset()),
                (at.partition(), at.offset()),
            )
            for m, at in zip(messages, raw, strict=True)
        ]

    play(scene())


def test_what_the_bridge_did_not_park_is_refused(lots: Lots) -> None:
    [message] = lots.produced(b"one")
    [refused] = ParkedDecoder(Reads()).decode([message]).refused
    assert (refused.origin, refused.reason) == (message, "undecodable")


def test_a_dead_letter_of_a_parked_record_says_where_it_came_from(lots: Lots) -> None:
    async def scene() -> None:
        parking, messages, dead = lots.process(), lots.produced(b"one"), lots.kafka.create_topic("dead", 1)
        await take_over(parking, [0])
        await parking.write(batch(messages), None)
        parked = ParkedMessage(seen(lots.kafka, lots.parked)[0])
        await DeadLetters(lots.settings, dead).write([Refused(parked, "rejected", "no")])
        [letter] = seen(lots.kafka, dead)
        headers: Any = letter.headers()
        assert headers[:2] == messages[0].headers()
        assert dict(headers[2:])["bridge.topic"] == lots.topic.encode()
        assert dict(headers[2:])["bridge.offset"] == str(messages[0].offset()).encode()

    play(scene())


def test_the_next_owner_learns_what_is_parked_and_what_no_more(lots: Lots) -> None:
    async def scene() -> None:
        first = lots.process()
        await take_over(first, [0, 1])
        of_crm = await first.write(batch(lots.produced(b"one")), None)
        of_wiki = await first.write(batch(lots.produced(b"two"), "wiki/x"), None)
        assert of_crm.last.keys() != of_wiki.last.keys()
        await first.write(batch(lots.produced(b"three", partition=1), "mail"), None)
        second = lots.process()
        assert await take_over(second, [0]) == {"crm": of_crm.last, "wiki/x": of_wiki.last}
        await second.forget("crm")
        assert await take_over(lots.process(), [0]) == {"wiki/x": of_wiki.last}

    play(scene())


@pytest.mark.real_kafka
def test_an_earlier_owner_writes_nothing(kafka: Cluster[Broker]) -> None:
    async def scene(lots: Lots) -> None:
        first, messages = lots.process(), lots.produced(b"one")
        await take_over(first, [0, 1])
        second = lots.process()
        await take_over(second, [0])
        written = await first.write(batch([*messages, *lots.produced(b"two", partition=1)]), None)
        assert written.fenced == {0}
        assert [message.value() for message in seen(lots.kafka, lots.parked)] == [b"two"]
        await first.forget("crm")
        assert await take_over(lots.process(), [0]) == {}

    play(scene(Lots(kafka)))


def test_a_journal_entry_is_there_with_the_records(lots: Lots) -> None:
    async def scene() -> None:
        parking, messages = lots.process(), lots.produced(b"one")
        await take_over(parking, [0])
        entry = Entry.of("the batch", "crm", messages, State.MOVED, 1)
        await parking.write(batch(messages), entry)
        journal = KafkaJournal(lots.settings, lots.journal, lots.form)
        assert await journal.take_over([0]) == {0: [entry]}

    play(scene())


@pytest.mark.real_kafka
def test_more_of_an_app_goes_to_where_its_records_are(kafka: Cluster[Broker]) -> None:
    """Also when the topic has more partitions by now, so that its name leads elsewhere."""

    async def scene(lots: Lots) -> None:
        first = lots.process()
        await take_over(first, [0])
        [before] = (await first.write(batch(lots.produced(b"one")), None)).last
        admin = AdminClient({**lots.settings})
        admin.create_partitions([NewPartitions(lots.parked, 9)])[lots.parked].result(30)
        # The controller has them; brokers tell of them a little later.
        eventually(
            lambda: len(admin.list_topics(lots.parked, timeout=10).topics[lots.parked].partitions) == 9,
            "the partitions are there",
        )
        second = lots.process()
        await take_over(second, [0])
        [after] = (await second.write(batch(lots.produced(b"two")), None)).last
        assert after == before
        await second.forget("crm")
        [anew] = (await second.write(batch(lots.produced(b"three")), None)).last
        assert anew != before

    play(scene(Lots(kafka)))


def test_no_two_apps_share_a_partition_while_there_is_another(lots: Lots) -> None:
    async def scene() -> None:
        parking, apps = lots.process(), ("crm", "wiki", "payroll", "mail", "one too many")
        await take_over(parking, [0])
        written = [await parking.write(batch(lots.produced(b"x"), app), None) for app in apps]
        assert {place for each in written[:4] for place in each.last} == {0, 1, 2, 3}
        again = await parking.write(batch(lots.produced(b"x"), "wiki"), None)
        assert again.last.keys() == written[1].last.keys()

    play(scene())


def test_it_tells_how_far_the_group_has_got(lots: Lots) -> None:
    async def scene() -> None:
        parking = lots.process()
        assert await parking.committed([0, 3]) == {}
        lots.delivered({3: 5})
        assert await parking.committed([0, 3]) == {3: 5}

    play(scene())


@pytest.mark.real_kafka
def test_what_is_delivered_is_deleted_when_nobody_needs_it(kafka: Cluster[Broker]) -> None:
    async def scene(lots: Lots) -> None:
        parking = lots.process()
        await take_over(parking, [0])
        [(place, last)] = (await parking.write(batch(lots.produced(b"one", b"two")), None)).last.items()
        lots.delivered({place: last + 1})
        await parking.committed([place])
        await parking.forget("crm")
        consumer = Consumer({**lots.settings, "group.id": lots.group})
        assert consumer.get_watermark_offsets(TopicPartition(lots.parked, place), 30)[0] == last + 1
        consumer.close()

    play(scene(Lots(kafka)))
