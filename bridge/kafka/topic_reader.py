"""Reads a topic beside its consumers: from its beginning to its end, and later on from there."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # two are public, and not marked so
    AdminClient,
    ConfigResource,
    ResourceType,
    TopicMetadata,
)

from bridge.core.errors import BridgeError
from bridge.kafka.consumer import FIXED
from bridge.kafka.refusals import Refusals
from bridge.kafka.rotation import FollowingConsumer
from bridge.telemetry.logs import librdkafka_logger

CHUNK_RECORDS = 5000
POLL_SECONDS = 0.05
ANSWER_SECONDS = 10.0  # for one answer of the cluster
# Longer than a transaction stays open whose process died: by default 60 s, and 10 s until the broker looks.
PATIENCE_SECONDS = 120.0

_LEADER_MOVES = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}


class TopicReader:
    """The committed records of a topic, each partition in order, from its beginning on.

    It joins no group and commits nothing, so it may read beside the consumers of `group`; the name only says
    under whose permissions. To be used from one thread, but for `stop`. `patience` is how many seconds
    may pass without any progress (and without an answer, at most 10), and `clock` gives monotonic seconds.

    A transaction that is open holds back what stands behind it, also what others have long committed. The
    `ends` are before it, unless `past_open` is set: then reading waits for transactions to end.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        topic: str,
        group: str = "productiv-bridge.reader",
        *,
        past_open: bool = False,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic = topic
        self._settings = settings
        self._patience = patience
        self._answer = min(patience, ANSWER_SECONDS)
        self._clock = clock
        self._stopping = False
        self._next: dict[int, int] = {}  # the offset up to which each partition was read
        # The end of a partition is told as an event: what stands there may be a mark and not a record.
        reading: dict[str, Any] = {
            **FIXED,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "group.id": group,
            "fetch.wait.max.ms": 50,  # not half a second for more at the end of each partition
        }
        self._kafka = FollowingConsumer(settings, reading)
        # Asks on connections of its own: behind a fetch that waits for records an answer takes long.
        isolation = "read_uncommitted" if past_open else "read_committed"
        self._refusals = Refusals()
        self._asking = FollowingConsumer(
            settings, {**reading, "isolation.level": isolation, "error_cb": self._refusals}
        )

    def cleanup_policy(self) -> str | None:
        """The topic's `cleanup.policy`; None if the cluster has nobody to ask, as the embedded one.

        Even then `removed` tells whether anything was cleaned away by age or size so far.

        Raises:
            BridgeError: the cluster does not tell.
        """
        admin = AdminClient({**self._settings}, logger=librdkafka_logger())
        resource = ConfigResource(ResourceType.TOPIC, self._topic)
        try:
            cluster = admin.list_topics(self._topic, timeout=ANSWER_SECONDS)
            if cluster.controller_id not in cluster.brokers:
                return None  # who would answer; asking all the same would be waiting in vain
            found = admin.describe_configs([resource], request_timeout=ANSWER_SECONDS)[resource].result()
        except KafkaException as error:
            raise BridgeError(
                f"cannot see whether topic {self._topic} is compacted: {error.args[0].str()}; reconciling "
                "needs the permission DescribeConfigs on it"
            ) from None
        policy: str = found["cleanup.policy"].value
        return policy

    def exists(self) -> bool:
        """Whether there is such a topic.

        Raises:
            BridgeError: the cluster does not answer.
        """
        error = self._described().error
        return error is None or error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART

    def partitions(self) -> list[int]:
        """The partitions of the topic.

        Raises:
            BridgeError: the topic does not exist, or the cluster does not answer.
        """
        found = self._described()
        if found.error is not None:
            raise BridgeError(f"cannot read topic {self._topic}: {found.error.str()}")
        return sorted(found.partitions)

    def removed(self) -> int:
        """How many offsets the broker has removed from the beginnings of the partitions.

        Raises:
            BridgeError: the topic does not exist, or the cluster does not answer.
        """
        return sum(self._bounds(partition)[0] for partition in self.partitions())

    def ends(self, partitions: Iterable[int] | None = None) -> dict[int, int]:
        """The end offset now of each of these partitions, by default of all.

        Raises:
            BridgeError: the topic does not exist, or the cluster does not answer.
        """
        wanted = self.partitions() if partitions is None else partitions
        return {partition: self._bounds(partition)[1] for partition in wanted}

    def unread(self, ends: Mapping[int, int]) -> Iterator[list[Message]]:
        """What was not read yet of these partitions, in chunks, up to these ends and perhaps a little more.

        Raises:
            BridgeError: the end cannot be reached, or `stop` was called.
        """
        if new := ends.keys() - self._next.keys():
            self._next.update(dict.fromkeys(new, 0))
            self._kafka.incremental_assign([TopicPartition(self._topic, p, OFFSET_BEGINNING) for p in new])
        waited_since = self._clock()
        while any(self._next[partition] < end for partition, end in ends.items()):
            if self._stopping:
                raise BridgeError(f"reading topic {self._topic} was stopped")
            before = sum(self._next.values())
            if messages := self._poll():
                yield messages
            if sum(self._next.values()) > before:
                waited_since = self._clock()
            elif self._clock() - waited_since > self._patience:
                self._kafka.answers()
                raise BridgeError(
                    f"the end of topic {self._topic} was not reached: nothing came for {self._patience:g} s"
                )

    def news(self, partitions: Iterable[int] | None = None) -> Iterator[Message]:
        """What was not read yet up to the ends of this moment; raises as `ends` and `unread` do."""
        for messages in self.unread(self.ends(partitions)):
            yield from messages

    def skip(self) -> None:
        """Takes all that is there now for read; to be called before anything is. Raises as `ends` does."""
        self._next = self.ends()
        self._kafka.incremental_assign([TopicPartition(self._topic, *place) for place in self._next.items()])

    def stop(self) -> None:
        """Ends a reading under way with an error; may be called from any thread."""
        self._stopping = True

    def close(self) -> None:
        """Closes the connections."""
        # Let go and emptied first: while it closes, the client drops what it has fetched with a lock in its
        # hands for which its own lines wait if `debug` is set, for ever.
        self._kafka.unassign()
        self._kafka.consume(CHUNK_RECORDS, 0)
        self._kafka.close()
        self._asking.close()

    def _described(self) -> TopicMetadata:
        try:
            found: TopicMetadata = self._asking.list_topics(self._topic, self._answer).topics[self._topic]
            return found
        except KafkaException as error:
            self._asking.answers()
            self._asking.poll(0)  # which tells `refusals`
            why = self._refusals.recent or f"Kafka does not answer: {error.args[0].str()}"
            raise BridgeError(f"cannot read topic {self._topic}: {why}") from None

    def _bounds(self, partition: int) -> tuple[int, int]:
        """First and end offset of a partition."""
        asked_since = self._clock()
        while True:
            try:
                return self._asking.get_watermark_offsets(
                    TopicPartition(self._topic, partition), self._answer
                )
            except KafkaException as error:
                if self._clock() - asked_since > self._answer or error.args[0].code() not in _LEADER_MOVES:
                    raise BridgeError(
                        f"cannot see where topic {self._topic} ends: {error.args[0].str()}; try again later"
                    ) from None
            self.partitions()  # which makes the client look for the leaders
            self._asking.poll(POLL_SECONDS)  # nothing is assigned to it, so this only waits

    def _poll(self) -> list[Message]:
        """The next records; notes how far each partition is read, also where its end holds no record."""
        messages = []
        for message in self._kafka.consume(CHUNK_RECORDS, POLL_SECONDS):
            error, partition, offset = message.error(), message.partition(), message.offset()
            if error is None:
                messages.append(message)
                self._advance(partition, offset + 1)  # type: ignore[operator]  # a record has an offset
            elif error.code() == KafkaError._PARTITION_EOF:
                self._advance(partition, offset)
            elif error.fatal() or (partition is not None and partition >= 0):
                raise BridgeError(f"cannot read topic {self._topic}: {error.str()}")
        return messages

    def _advance(self, partition: int | None, offset: int | None) -> None:
        if partition is not None and offset is not None:
            self._next[partition] = max(self._next[partition], offset)
