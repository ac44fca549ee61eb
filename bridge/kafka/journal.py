"""The delivery journal on a compacted topic, one writer for each partition of the stream, fenced by Kafka."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from confluent_kafka import KafkaException, Producer

from bridge.core.errors import BridgeError
from bridge.core.journal import Entry
from bridge.core.ports import Fenced, Lease
from bridge.kafka.journal_entries import JournalFormat
from bridge.kafka.rotation import FollowingProducer
from bridge.kafka.topic_news import TopicNews
from bridge.telemetry.logs import librdkafka_logger

log = structlog.get_logger(__name__)

CALL_SECONDS = 30.0
RETRY_SECONDS = 1.0
READ_SECONDS = 120.0
THREADS = 8  # transactions at once; each takes some 10 ms
FIXED: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 0,  # a batch waits for its entry
    # Longer than a consumer's session (45 s by default): who is paused for so long that the broker ends its
    # transaction has lost its partitions as well. Whoever takes one over ends the transaction at once.
    "transaction.timeout.ms": 60_000,
}


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

    async def take_over(self, partitions: Collection[int]) -> Mapping[int, Sequence[Entry]]:
        """Ends the leases of earlier owners, then reads what they left; tries for as long as that takes."""
        if not partitions:
            return {}
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._take_over, list(partitions)
                )
            except (KafkaException, BridgeError) as error:
                log.warning("journal_not_read", topic=self._topic, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    def lease(self, partition: int) -> Lease:
        """The present lease of a partition that was taken over."""
        return self._leases[partition]

    def _take_over(self, partitions: list[int]) -> dict[int, list[Entry]]:
        count = self._partitions()
        for partition in partitions:
            self._leases[partition] = self._lease(partition, partition % count)
        return self._left(partitions, sorted({partition % count for partition in partitions}))

    def _lease(self, partition: int, place: int) -> "_KafkaLease":
        """From here on the producer of an earlier owner is refused, whatever it still believes."""
        name = self._form.transactional_id(partition)
        producer = FollowingProducer(self._settings, {**FIXED, "transactional.id": name})
        producer.init_transactions(CALL_SECONDS)
        return _KafkaLease(producer, self._topic, place, self._form, partition, self._threads)

    def _left(self, partitions: list[int], places: list[int]) -> dict[int, list[Entry]]:
        left: dict[tuple[int, str], Entry | None] = {}
        reader = TopicNews(self._settings, self._topic, places)
        try:
            for message in reader.news(READ_SECONDS):
                kind = self._form.kind(message.key())
                if kind is not None and kind[0] == "batch" and kind[1] in partitions:
                    value = message.value()
                    left[kind[1], kind[2]] = self._form.entry(value) if value else None
        finally:
            reader.close()
        found: dict[int, list[Entry]] = {partition: [] for partition in partitions}
        for (partition, _), entry in left.items():
            if entry is not None:
                found[partition].append(entry)
        return found

    def _partitions(self) -> int:
        asking = Producer({**self._settings}, logger=librdkafka_logger())
        told = asking.list_topics(self._topic, timeout=CALL_SECONDS).topics[self._topic]
        if told.error is not None:
            raise KafkaException(told.error)
        return len(told.partitions)


class _KafkaLease:
    """One transactional producer. Writes that wait for the same moment share a transaction."""

    def __init__(
        self,
        producer: Producer,
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
        self._fenced = False

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
        while not self._fenced:
            error = await loop.run_in_executor(self._threads, self._commit, values)
            if error is None:
                return
            log.warning("journal_not_written", topic=self._topic, error=error)
            if not self._fenced:
                await asyncio.sleep(RETRY_SECONDS)
        raise Fenced

    def forget(self, batches: Collection[str]) -> None:
        """Deletes entries together with the next write."""
        self._waiting.update(dict.fromkeys(batches))

    def _commit(self, values: Mapping[str, Entry | None]) -> str | None:
        """Writes in one transaction; returns why it must be tried again, None if it must not."""
        try:
            self._producer.begin_transaction()
            for batch, entry in values.items():
                key = self._form.entry_key(self._partition, batch)
                value = None if entry is None else self._form.entry_value(entry)
                self._producer.produce(self._topic, value, key, self._place)
            self._end()
        except KafkaException as error:
            return self._failed(error)
        return None

    def _end(self) -> None:
        while True:
            try:
                self._producer.commit_transaction(CALL_SECONDS)
            except KafkaException as error:
                if error.args[0].retriable():
                    continue  # nobody knows yet whether it was committed; asking again tells
                raise
            return

    def _failed(self, error: KafkaException) -> str:
        cause = error.args[0]
        if cause.fatal():
            self._fenced = True
        else:
            try:
                self._producer.abort_transaction(CALL_SECONDS)
            except KafkaException as second:
                self._fenced = self._fenced or second.args[0].fatal()
        return str(cause.str())
