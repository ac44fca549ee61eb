"""The Kafka consumer of one stream: polled in its own thread, its rebalances awaited in the event loop."""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar, TypeVarTuple

import structlog
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka import Consumer as KafkaConsumer

from bridge.core.ports import Owner
from bridge.kafka.contact import Contact
from bridge.kafka.rotation import FollowingConsumer
from bridge.kafka.statistics import INTERVAL, INTERVAL_MS, Statistics

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = structlog.get_logger(__name__)

CLOSING_POLL_SECONDS = 0.05
ANSWER_SECONDS, RETRY_SECONDS, STARTS_SECONDS = 3.0, 0.5, 15.0
# What the guarantees rest on; configuration refuses to set any of these.
FIXED: dict[str, str | int | bool] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": False,
    "partition.assignment.strategy": "cooperative-sticky",
    "isolation.level": "read_committed",
}
# Settings have the last word on these. With librdkafka's own values 100,000 records of each partition are
# fetched ahead and take memory beside those that the sink holds, and once they are there, the client asks for
# no more for a whole second: the sink has long used them up and waits.
UNLESS_SET: dict[str, int] = {
    "queued.min.messages": 10_000,
    "queued.max.messages.kbytes": 16_384,
    "fetch.max.bytes": 16_777_216,
    "fetch.queue.backoff.ms": 20,
    INTERVAL: INTERVAL_MS,
}


class Committed(Protocol):
    """A client that knows what its group has committed."""

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """Those partitions with their offsets, negative where there is none; waits `timeout` seconds."""
        ...


def starts(
    kafka: Committed,
    partitions: list[TopicPartition],
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> list[TopicPartition]:
    """Where to begin with partitions: where the group has committed, else at the oldest record.

    The client would find that out itself. But if the coordinator moves while it does, it never asks again,
    and these partitions would stand still until the next rebalance. Without an answer for `STARTS_SECONDS` it
    is left to the client all the same.
    """
    until = clock() + STARTS_SECONDS
    while partitions and clock() < until:
        try:
            found = kafka.committed(partitions, timeout=ANSWER_SECONDS)
            for each in found:
                if each.error is not None:
                    raise KafkaException(each.error)
        except KafkaException as error:
            log.warning("committed_offsets_not_read", error=error.args[0].str())
            wait(RETRY_SECONDS)
            continue
        return [
            each if each.offset >= 0 else TopicPartition(each.topic, each.partition, OFFSET_BEGINNING)
            for each in found
        ]
    return partitions


class Consumer:
    """One member of a consumer group, on one topic.

    librdkafka is called from a single thread, so that the event loop never waits for it. A rebalance stops
    that thread, and with it the poll, until the owner has let go.
    """

    def __init__(self, settings: Mapping[str, Any], topic: str, group: str) -> None:
        self._topic = topic
        self._settings = settings
        self._group = group
        self._contact = Contact()
        self.statistics = Statistics()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"kafka-{topic}")
        self._paused: set[int] = set()
        self._committing = False

    async def start(self, owner: Owner, committed: Callable[[dict[int, int]], None]) -> None:
        """Joins the group. `committed` is called in the event loop when the broker has taken a commit."""
        loop = asyncio.get_running_loop()

        def wait_for(handler: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(handler, loop).result()

        def assigned(partitions: list[TopicPartition]) -> None:
            wait_for(owner.assigned([p.partition for p in partitions]))

        def on_assign(kafka: KafkaConsumer, partitions: list[TopicPartition]) -> None:
            assigned(partitions)
            # A partition that went while it was paused is still so when it comes back.
            kafka.resume(partitions)
            try:
                kafka.incremental_assign(starts(kafka, partitions))
            except KafkaException as error:  # they went again meanwhile; the client is about to tell
                log.warning("consumer_error", topic=self._topic, error=error.args[0].str())

        def on_revoke(_: KafkaConsumer, partitions: list[TopicPartition]) -> None:
            offsets = wait_for(owner.revoked([p.partition for p in partitions]))
            self._commit(offsets, False)

        def on_commit(error: KafkaError | None, partitions: list[TopicPartition]) -> None:
            self._committing = False
            done = {p.partition: p.offset for p in partitions if p.error is None and p.offset >= 0}
            if error is None:
                loop.call_soon_threadsafe(committed, done)
            elif error.code() != KafkaError._NO_OFFSET:
                # The next commit carries the same offsets, and a new owner starts from the last good one.
                log.warning("commit_failed", topic=self._topic, error=error.str())

        fixed = {
            **FIXED,
            "auto.offset.reset": "earliest",
            "group.id": self._group,
            "on_commit": on_commit,
            "error_cb": self._contact,
            "stats_cb": self.statistics,
            **{name: self._settings.get(name, value) for name, value in UNLESS_SET.items()},
        }
        self._assigned = assigned
        self._kafka = FollowingConsumer(self._settings, fixed)
        self._kafka.subscribe(
            [self._topic],
            on_assign=on_assign,
            on_revoke=on_revoke,
            on_lost=lambda _, ps: wait_for(owner.lost([p.partition for p in ps])),
        )

    @property
    def refused(self) -> str | None:
        """Why Kafka and we do not talk; None if we do."""
        return self._contact.trouble

    async def poll(self, limit: int, seconds: float, resting: Collection[int] = ()) -> list[Message]:
        """Up to `limit` messages, waiting at most so many `seconds` for them.

        Partitions that rest are paused, and with a limit of 0 all of them: nothing comes, but the membership
        is kept alive.

        Raises:
            KafkaException: the client has met an error that it cannot recover from.
            ClientLost: the client will never reach Kafka again.
        """
        return await self._call(self._poll, limit, seconds, resting)

    async def commit(self, offsets: dict[int, int]) -> None:
        """Sends a commit without waiting for the answer, which comes to `committed` during a later poll.

        Does nothing while an earlier one is without an answer: during a rebalance they would pile up.
        """
        if not self._committing:
            self._committing = bool(offsets)
            await self._call(self._commit, offsets, True)

    async def ends(self) -> dict[int, int]:
        """The end offset of each assigned partition as the last fetch told it; none asked of the broker."""
        return await self._call(self._ends)

    async def again(self, partitions: Collection[int]) -> None:
        """Reads these partitions from where the group has committed, once the owner has taken them anew.

        Those that are not assigned any more are passed over.
        """
        await self._call(self._again, partitions)

    async def close(self) -> None:
        """Gives all partitions up through the owner, leaves the group, and ends the thread."""
        await self._call(self._close)
        self._thread.shutdown(wait=False)

    async def _call(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    def _poll(self, limit: int, seconds: float, resting: Collection[int]) -> list[Message]:
        if resting or self._paused or not limit:
            self._pause({p.partition for p in self._kafka.assignment()} if not limit else set(resting))
        messages = self._kafka.consume(limit or 1, seconds)
        # No connection at all, and the client does not always say that the last one is gone.
        if (self._contact.lost or self.statistics.connections == 0) and self._kafka.answers():
            self._contact.answered()
        errors = [error for message in messages if (error := message.error()) is not None]
        if not errors:
            return messages
        for error in errors:
            if error.fatal():
                raise KafkaException(error)
            log.warning("consumer_error", topic=self._topic, error=error.str())
        return [message for message in messages if message.error() is None]

    def _again(self, partitions: Collection[int]) -> None:
        still = [p for p in self._kafka.assignment() if p.partition in partitions]
        try:
            for place in starts(self._kafka, still):
                self._kafka.seek(place)
        except KafkaException as error:  # then nothing of them may be received: it would not be all
            log.warning("consumer_error", topic=self._topic, error=error.args[0].str())
            return
        if still:
            self._assigned(still)

    def _close(self) -> None:
        # The client's own close would do it too. But where a rebalance is under way, it may ask us to let go
        # once it has left the group, and then waits for itself for ever, with Python's lock in its hands.
        self._kafka.unsubscribe()
        while self._kafka.assignment():
            self._kafka.consume(1, CLOSING_POLL_SECONDS)
        self._kafka.close()

    def _pause(self, resting: set[int]) -> None:
        assigned = self._kafka.assignment()
        # Each time: a rebalance may have brought partitions that are not paused yet.
        self._kafka.pause([p for p in assigned if p.partition in resting])
        self._kafka.resume([p for p in assigned if p.partition in self._paused - resting])
        self._paused = resting

    def _commit(self, offsets: dict[int, int], asynchronous: bool) -> None:
        if not offsets:
            return
        positions = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
        try:
            if asynchronous:
                self._kafka.commit(offsets=positions, asynchronous=True)
            else:
                self._kafka.commit(offsets=positions, asynchronous=False)
        except KafkaException as error:
            self._committing = False
            # Not lost: the next owner starts from the last commit that was taken and reads these again.
            log.warning("commit_failed", topic=self._topic, error=error.args[0].str())

    def _ends(self) -> dict[int, int]:
        ends = {}
        for assigned in self._kafka.assignment():
            watermarks = self._kafka.get_watermark_offsets(assigned, cached=True)
            if watermarks is not None and watermarks[1] >= 0:
                ends[assigned.partition] = watermarks[1]
        return ends
