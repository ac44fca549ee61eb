"""The parking topic, and in the journal topic the memory of which apps are parked.

What is parked of a partition and the word that it is go out in one transaction, by a producer that Kafka
fences when somebody else takes the partition over. So the next owner knows what is parked, and nothing is
parked behind its back.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, TypeVarTuple
from zlib import crc32

import structlog
from confluent_kafka import KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from bridge.core.batcher import Batch
from bridge.core.errors import BridgeError
from bridge.core.journal import Entry
from bridge.core.ports import Written
from bridge.kafka.journal_entries import JournalFormat, Place
from bridge.kafka.parker import Parker, ParkingPlaces
from bridge.kafka.rotation import FollowingConsumer
from bridge.kafka.topic_reader import TopicReader
from bridge.telemetry.logs import librdkafka_logger

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
ANSWER_SECONDS = 10.0
THREADS = 8  # transactions at once; each takes some 10 ms

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class KafkaParking:
    """A stream's parking topic, as `bridge.core.ports.ParkingTopic`; `group` delivers from it."""

    def __init__(
        self, settings: Mapping[str, Any], topic: str, group: str, journal: str, form: JournalFormat
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._journal = journal
        self._form = form
        self._parkers: dict[int, Parker] = {}
        self._settled: dict[int, int] = {}  # what `committed` has told last
        self._places: dict[str, int] = {}  # the partition of each parked app
        self._partitions = 1
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"parking-{topic}")
        # Never joins the group.
        self._asking = FollowingConsumer(settings, {"group.id": group, "enable.auto.commit": False})

    async def fence(self, partitions: Collection[int]) -> None:
        """Fences earlier owners; tries for as long as that takes."""
        if partitions:
            places = await self._until_known(self._where)
            opened = (self._until_known(Parker, self._settings, places, each) for each in partitions)
            self._parkers.update(zip(partitions, await asyncio.gather(*opened), strict=True))

    async def left(self, partitions: Collection[int]) -> Mapping[str, Mapping[int, int]]:
        """Reads what earlier owners parked; tries for as long as that takes."""
        if not partitions:
            return {}
        places = await self._until_known(self._left, list(partitions))
        self._places |= {app: at.partition for app, at in places}
        return {app: _last(at for name, at in places if name == app) for app, _ in places}

    async def write(self, batch: Batch, entry: Entry | None) -> Written:
        """Writes each partition's records in a transaction; tries for as long as that takes."""
        parts: dict[int, list[Any]] = {}
        for origin in batch.origins:
            if (partition := origin.partition() or 0) in batch.hold.parts:
                parts.setdefault(partition, []).append(origin)
        # Taken now and kept: what an earlier assignment parks must not pass for a later one's.
        jobs = [self._park(self._parkers[p], batch.app, messages, entry) for p, messages in parts.items()]
        places = dict(zip(parts, await asyncio.gather(*jobs), strict=True))
        last = _last(place for place in places.values() if place is not None)
        return Written(last, frozenset(p for p, place in places.items() if place is None))

    async def forget(self, app: str) -> None:
        """Notes that all that was parked of an app is delivered, unless more has been parked meanwhile."""
        known = [(parker, parker.parked[app]) for parker in self._parkers.values() if app in parker.parked]
        for parker, place in known:
            await self._until_done(parker.forget, app, place)
        if not any(app in parker.parked for parker in self._parkers.values()):
            self._places.pop(app, None)
        await self._call(lambda: self._trim({place.partition for _, place in known}))

    async def committed(self, partitions: Collection[int]) -> Mapping[int, int]:
        """What the group has committed; nothing while Kafka does not answer."""
        asked = [TopicPartition(self._topic, partition) for partition in partitions]
        try:
            found = await self._call(lambda: self._asking.committed(asked, timeout=ANSWER_SECONDS))
        except KafkaException as error:
            log.warning("parking_not_read", topic=self._topic, error=error.args[0].str())
            await self._call(self._asking.answers)
            return {}
        known = {each.partition: each.offset for each in found if each.error is None and each.offset >= 0}
        self._settled.update(known)
        return known

    def _free(self, app: str) -> int:
        """A partition that no other app has: those that share one wait for each other.

        By the name as far as it goes, so that other processes choose the same.
        """
        first, taken = crc32(app.encode()), set(self._places.values())
        turn = [(first + n) % self._partitions for n in range(self._partitions)]
        return next((partition for partition in turn if partition not in taken), turn[0])

    async def _park(self, parker: Parker, app: str, messages: list[Any], entry: Entry | None) -> Place | None:
        to = self._places.setdefault(app, self._free(app))
        await self._until_done(parker.park, app, messages, entry, to)
        return None if parker.fenced else parker.parked[app]

    async def _until_done(self, write: Callable[..., str | None], *args: Any) -> None:
        while (error := await self._call(lambda: write(*args))) is not None:
            log.warning("parking_not_written", topic=self._topic, error=error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    async def _until_known(self, ask: Callable[[*Ts], T], *args: *Ts) -> T:
        while True:
            try:
                return await self._call(lambda: ask(*args))
            except (KafkaException, BridgeError) as error:
                log.warning("parking_not_read", topic=self._topic, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    def _where(self) -> ParkingPlaces:
        self._partitions = self._count(self._topic)
        return ParkingPlaces(self._topic, self._journal, self._count(self._journal), self._form)

    def _left(self, partitions: list[int]) -> list[tuple[str, Place]]:
        # Past open transactions: those of parkers that are in force hold back what ended ones have left.
        reader = TopicReader(self._settings, self._journal, past_open=True)
        try:
            count = len(reader.partitions())
            left: dict[tuple[int, str], Message] = {}
            for message in reader.news({partition % count for partition in partitions}):
                kind = self._form.kind(message.key())
                if kind is not None and kind[0] == "parked" and kind[1] in partitions:
                    left[kind[1], kind[2]] = message
        finally:
            reader.close()
        for (partition, app), message in left.items():
            if (place := self._place(message)) is not None:
                self._parkers[partition].parked[app] = place
        return [each for partition in partitions for each in self._parkers[partition].parked.items()]

    def _place(self, message: Message) -> Place | None:
        value = message.value()
        try:
            return self._form.parked(value) if value else None
        except ValueError:
            # Where the app's records end is not known then, so nothing newer of it may be sent.
            raise BridgeError(
                f"topic {self._journal}, partition {message.partition()}, offset {message.offset()}: this "
                "does not say where parked records end, so something else wrote it; see what it is about, "
                "and write a message with the same key and no value"
            ) from None

    def _trim(self, partitions: Collection[int]) -> None:
        """Deletes what is delivered.

        It would all come again, and behind newer words, if Kafka forgot how far the group has got: it does so
        a week (`offsets.retention.minutes`) after the last member is gone.
        """
        settled = [TopicPartition(self._topic, p, self._settled[p]) for p in partitions if p in self._settled]
        if not settled:
            return
        admin = AdminClient({**self._settings}, logger=librdkafka_logger())
        for partition in admin.delete_records(settled, request_timeout=ANSWER_SECONDS).values():
            try:
                partition.result(2 * ANSWER_SECONDS)
            except (KafkaException, TimeoutError) as error:
                log.warning("parking_not_trimmed", topic=self._topic, error=str(error))

    def _count(self, topic: str) -> int:
        found = self._asking.list_topics(topic, ANSWER_SECONDS).topics[topic]
        if found.error is not None:
            raise BridgeError(f"cannot use topic {topic}: {found.error.str()}")
        return len(found.partitions)


def _last(places: Iterable[Place]) -> dict[int, int]:
    last: dict[int, int] = {}
    for place in places:
        last[place.partition] = max(place.offset, last.get(place.partition, 0))
    return last
