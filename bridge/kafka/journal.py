"""The delivery journal on a compacted topic, one writer for each partition of the stream, fenced by Kafka."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, TypeVarTuple

import structlog
from confluent_kafka import KafkaException, Message, TopicCollection
from confluent_kafka.admin import AdminClient

from bridge.core.errors import BridgeError
from bridge.core.journal import Entry
from bridge.core.ports import Fenced, Lease
from bridge.kafka.fenced_producer import FencedProducer, ProducerRecord
from bridge.kafka.journal_entries import JournalFormat
from bridge.kafka.topic_reader import ANSWER_SECONDS, TopicReader
from bridge.telemetry.logs import librdkafka_logger

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
THREADS = 8  # transactions at once; each takes some 10 ms


class KafkaJournal:
    """The journal of one stream, as `bridge.core.ports.JournalStore`.

    An entry is on the journal's partition that the number of the stream's partition leads to, so that taking
    some over does not mean to read all.
    """

    def __init__(self, settings: Mapping[str, Any], topic: str, form: JournalFormat) -> None:
        self._settings = settings
        self._topic = topic
        self._form = form
        self._leases: dict[int, _KafkaLease] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"journal-{form.topic}")

    async def fence(self, partitions: Collection[int]) -> None:
        """Ends the leases of earlier owners; tries for as long as that takes."""
        await self._until_known(self._fence, list(partitions))

    async def take_over(self, partitions: Collection[int]) -> Mapping[int, Sequence[Entry]]:
        """Ends the leases of earlier owners, then reads what they left; tries for as long as that takes."""
        return await self._until_known(self._take_over, list(partitions)) if partitions else {}

    async def topic_id(self) -> str | None:
        """The id that the cluster gave the stream's topic; tries for as long as that takes."""
        return await self._until_known(topic_id, self._settings, self._form.topic)

    def lease(self, partition: int) -> Lease:
        """The present lease of a partition that was taken over."""
        return self._leases[partition]

    async def _until_known(self, ask: Callable[[*Ts], T], *args: *Ts) -> T:
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, ask, *args)
            except (KafkaException, BridgeError) as error:
                log.warning("journal_not_read", topic=self._topic, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    def _fence(self, partitions: list[int]) -> None:
        for partition in partitions:
            FencedProducer(self._settings, self._form.transactional_id(partition)).open()

    def _take_over(self, partitions: list[int]) -> dict[int, list[Entry]]:
        # Past open transactions: those of leases that are in force hold back what ended ones have left.
        reader = TopicReader(self._settings, self._topic, past_open=True)
        try:
            count = len(reader.partitions())
            for partition in partitions:
                self._leases[partition] = self._lease(partition, partition % count)
            return self._left(partitions, reader, {partition % count for partition in partitions})
        finally:
            reader.close()

    def _lease(self, partition: int, place: int) -> "_KafkaLease":
        """From here on the producer of an earlier owner is refused, whatever it still believes."""
        producer = FencedProducer(self._settings, self._form.transactional_id(partition))
        producer.open()
        return _KafkaLease(producer, self._topic, place, self._form, partition, self._threads)

    def _left(self, partitions: list[int], reader: TopicReader, places: set[int]) -> dict[int, list[Entry]]:
        left: dict[tuple[int, str], Message] = {}
        for message in reader.news(places):
            kind = self._form.kind(message.key())
            if kind is not None and kind[0] == "batch" and kind[1] in partitions:
                left[kind[1], kind[2]] = message
        found: dict[int, list[Entry]] = {partition: [] for partition in partitions}
        for (partition, _), message in left.items():
            if (entry := self._entry(message, partition)) is not None:
                found[partition].append(entry)
        return found

    def _entry(self, message: Message, partition: int) -> Entry | None:
        value = message.value()
        try:
            return self._form.entry(partition, value) if value else None
        except ValueError:
            # What is in doubt is not known then, so nothing may be sent.
            raise BridgeError(
                f"topic {self._topic}, partition {message.partition()}, offset {message.offset()}: this is "
                "no entry of the journal, so something else wrote it; see what it is about, and write a "
                "message with the same key and no value"
            ) from None


def topic_id(settings: Mapping[str, Any], topic: str) -> str | None:
    """The id of a topic, new each time that one of its name is made; None where there are no such ids.

    Raises:
        KafkaException: the cluster does not answer.
    """
    admin = AdminClient({**settings}, logger=librdkafka_logger())
    cluster = admin.list_topics(topic, timeout=ANSWER_SECONDS)
    if cluster.controller_id not in cluster.brokers:
        return None  # the embedded cluster has nobody to ask; asking all the same would be waiting in vain
    asked = admin.describe_topics(TopicCollection([topic]), request_timeout=ANSWER_SECONDS)
    found = asked[topic].result().topic_id
    nameless = found.get_most_significant_bits() == found.get_least_significant_bits() == 0
    return None if nameless else str(found)


class _KafkaLease:
    """One producer. Writes that wait for the same moment share a transaction."""

    def __init__(
        self,
        producer: FencedProducer,
        topic: str,
        place: int,
        form: JournalFormat,
        partition: int,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._place = place
        self._form = form
        self._partition = partition
        self._threads = threads
        self._waiting: dict[str, Entry | None] = {}
        self._turn = asyncio.Lock()
        self._turns = 0  # how many have ended well

    async def write(self, entries: Mapping[str, Entry | None]) -> None:
        """Returns once these entries are acknowledged; waits for Kafka as long as that takes."""
        self._waiting.update(entries)
        due = self._turns + (2 if self._turn.locked() else 1)  # a turn under way is too early for these
        async with self._turn:
            if self._turns < due:  # else another's turn has taken these along
                values, self._waiting = self._waiting, {}
                try:
                    await self._until_written(values)
                except BaseException:
                    self._waiting = {**values, **self._waiting}  # others wait for theirs among them
                    raise
                self._turns += 1

    async def _until_written(self, values: Mapping[str, Entry | None]) -> None:
        loop = asyncio.get_running_loop()
        records = [self._record(batch, entry) for batch, entry in values.items()]
        while not self._producer.fenced:
            error = await loop.run_in_executor(self._threads, self._producer.write, records)
            if error is None:
                return
            log.warning("journal_not_written", topic=self._topic, error=error)
            if not self._producer.fenced:
                await asyncio.sleep(RETRY_SECONDS)
        raise Fenced

    def write_later(self, entries: Mapping[str, Entry | None]) -> None:
        """Writes these together with the next write."""
        self._waiting.update(entries)

    def _record(self, batch: str, entry: Entry | None) -> ProducerRecord:
        key = self._form.entry_key(self._partition, batch)
        value = None if entry is None else self._form.entry_value(entry)
        return ProducerRecord(self._topic, key, value, self._place)
