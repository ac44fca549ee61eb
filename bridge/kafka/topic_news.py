"""Reads a topic from a place to its end, committed records only."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from bridge.core.errors import BridgeError
from bridge.kafka.rotation import FollowingConsumer
from bridge.telemetry.logs import librdkafka_logger

FIXED: dict[str, Any] = {
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "group.id": "productiv-bridge-reader",  # never joined: partitions are assigned by hand
}

# For one answer of the cluster: whoever asks with a password that has rotated meanwhile must ask again.
ANSWER_SECONDS = 10.0


class TopicNews:
    """Some partitions of a topic; each `news` goes on where the last one ended.

    A transaction that is open holds back what stands behind it, also what others have long committed. So the
    end is asked for without regard to transactions, and reading goes on until that was reached: the broker
    ends a transaction whose process died after its `transaction.timeout.ms`.
    """

    def __init__(self, settings: Mapping[str, Any], topic: str, partitions: list[int] | None = None) -> None:
        self._topic = topic
        self._settings = settings
        self._consumer = FollowingConsumer(settings, FIXED)
        self._partitions = partitions
        self._next: dict[int, int] = {}

    def news(self, seconds: float) -> Iterator[Message]:
        """The records since the last call; ends at the end that the topic had when it was called.

        Raises:
            BridgeError: that was not reached in time, or the topic does not exist.
            KafkaException: the cluster does not answer.
        """
        until = time.monotonic() + seconds
        ends = self._ends(min(seconds, ANSWER_SECONDS))
        if not self._next:
            self._consumer.assign([TopicPartition(self._topic, p, 0) for p in ends])
            self._next = dict.fromkeys(ends, 0)
        while any(self._next[partition] < end for partition, end in ends.items()):
            if time.monotonic() > until:
                raise BridgeError(f"topic {self._topic} could not be read to its end in {seconds:g} s")
            for message in self._consumer.consume(1000, 0.1):
                error, partition, offset = message.error(), message.partition(), message.offset()
                if error is None:
                    self._next[partition or 0] = (offset or 0) + 1
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._next[partition or 0] = max(offset or 0, self._next[partition or 0])

    def close(self) -> None:
        """Ends the client."""
        self._consumer.close()

    def _ends(self, seconds: float) -> dict[int, int]:
        # A consumer of committed records would be told the end of those only.
        asking = Consumer(
            {**self._settings, **FIXED, "isolation.level": "read_uncommitted"}, logger=librdkafka_logger()
        )
        try:
            wanted = self._partitions
            if wanted is None:
                told = asking.list_topics(self._topic, timeout=seconds).topics[self._topic]
                if told.error is not None:
                    raise KafkaException(told.error)
                wanted = sorted(told.partitions)
            return {
                p: asking.get_watermark_offsets(TopicPartition(self._topic, p), timeout=seconds)[1]
                for p in wanted
            }
        finally:
            asking.close()
