"""Reads a whole topic beside its consumers: from its beginning to its end, and later on from there."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # two are public, and not marked so
    AdminClient,
    ConfigResource,
    ResourceType,
)

from bridge.core.errors import BridgeError
from bridge.kafka.consumer import FIXED
from bridge.telemetry.logs import librdkafka_logger

CHUNK_RECORDS = 5000
POLL_SECONDS = 0.05
ANSWER_SECONDS = 10.0
"""How long the cluster may take for one answer."""

_LEADER_MOVES = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}


class WholeTopic:
    """All records of a topic that are committed, each partition in order.

    It joins no group and commits nothing, so it may read beside the consumers of `group`; the name only says
    under whose permissions. To be used from one thread, but for `stop`. `patience` is how many seconds
    may pass without any progress, and `clock` gives monotonic seconds.

    Raises:
        BridgeError: the topic does not exist, or the cluster does not answer.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        topic: str,
        group: str,
        *,
        patience: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic = topic
        self._settings = settings
        self._patience = patience
        self._clock = clock
        self._stopping = False
        # The end of a partition is told as an event: what stands there may be a mark and not a record.
        fixed = {**FIXED, "enable.partition.eof": True, "group.id": group}
        self._kafka = Consumer({**settings, **fixed}, logger=librdkafka_logger())
        # Asks on connections of its own: behind a fetch that waits for records an answer takes long.
        self._asking = Consumer({**settings, **fixed}, logger=librdkafka_logger())
        try:
            self._next = dict.fromkeys(self._partitions(), 0)  # the offset up to which each was read
            self.removed = sum(low for low, _ in self._bounds().values())
            """Offsets that the broker has removed from the beginnings of the partitions."""
            self._kafka.assign([TopicPartition(topic, part, OFFSET_BEGINNING) for part in self._next])
        except BaseException:
            self.close()
            raise

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

    def ends(self) -> dict[int, int]:
        """The end offset of each partition now.

        Raises:
            BridgeError: the cluster does not answer.
        """
        return {partition: high for partition, (_, high) in self._bounds().items()}

    def unread(self, ends: Mapping[int, int]) -> Iterator[list[Message]]:
        """What was not read yet, in chunks, up to these offsets and perhaps a little more.

        Raises:
            BridgeError: the end cannot be reached, or `stop` was called.
        """
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
                raise BridgeError(
                    f"the end of topic {self._topic} was not reached: nothing came for {self._patience:g} s"
                )

    def stop(self) -> None:
        """Ends a reading under way with an error; may be called from any thread."""
        self._stopping = True

    def close(self) -> None:
        """Closes the connections."""
        self._kafka.close()
        self._asking.close()

    def _partitions(self) -> list[int]:
        try:
            found = self._asking.list_topics(self._topic, ANSWER_SECONDS).topics[self._topic]
        except KafkaException as error:
            raise BridgeError(f"Kafka does not answer: {error.args[0].str()}") from None
        if found.error is not None:
            raise BridgeError(f"cannot read topic {self._topic}: {found.error.str()}")
        return list(found.partitions)

    def _bounds(self) -> dict[int, tuple[int, int]]:
        """First and end offset of each partition; the end is where an open transaction begins, if any."""
        return {part: self._bounds_of(TopicPartition(self._topic, part)) for part in self._next}

    def _bounds_of(self, partition: TopicPartition) -> tuple[int, int]:
        asked_since = self._clock()
        while True:
            try:
                return self._asking.get_watermark_offsets(partition, ANSWER_SECONDS)
            except KafkaException as error:
                if self._clock() - asked_since > ANSWER_SECONDS or error.args[0].code() not in _LEADER_MOVES:
                    raise BridgeError(
                        f"cannot see where topic {self._topic} ends: {error.args[0].str()}; try again later"
                    ) from None
            self._partitions()  # which makes the client look for the leaders
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
