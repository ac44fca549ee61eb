"""The newest records of a topic, and those that come after them."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from bridge.core.errors import BridgeError
from bridge.kafka.offset_range import OffsetRange
from bridge.kafka.range_reader import read_ranges

ANSWER_SECONDS = 30.0
_POLL_SECONDS = 0.2
_WIDER = 8


class Tail:
    """A topic from behind. `consumer` is one for ranges; only committed records are read."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic
        self._ranges = self._now()

    def all(self) -> Iterator[Message]:
        """All records up to now, partition by partition.

        Raises:
            BridgeError: Kafka gives none for a minute.
        """
        for piece in read_ranges(self._consumer, self._topic, self._ranges):
            yield from piece.messages

    def newest(self, count: int) -> list[Message]:
        """The `count` newest records by Kafka's timestamp, the newest last; in a partition by their order.

        Raises:
            BridgeError: Kafka gives none for a minute.
        """
        found = [message for each in self._ranges for message in self._newest_of(each, count)]
        return sorted(found, key=lambda message: message.timestamp()[1])[-count:]

    def coming(self) -> Iterator[Message]:
        """The records from now on, without end.

        Raises:
            BridgeError: the client has met an error that it cannot recover from.
        """
        self._consumer.assign(
            [TopicPartition(self._topic, each.partition, each.end) for each in self._ranges]
        )
        while True:
            for message in self._consumer.consume(1000, _POLL_SECONDS):
                error = message.error()
                if error is None:
                    yield message
                elif error.fatal() or error.code() == KafkaError._AUTO_OFFSET_RESET:
                    raise BridgeError(f"Kafka ended the reading of {self._topic}: {error.str()}")

    def _newest_of(self, whole: OffsetRange, count: int) -> deque[Message]:
        """Marks of transactions have offsets too, so more of these are looked at until that is enough."""
        span = count
        while True:
            begin = max(whole.begin, whole.end - span)
            wanted = OffsetRange(whole.partition, begin, whole.end)
            pieces = read_ranges(self._consumer, self._topic, [wanted])
            newest = deque((message for piece in pieces for message in piece.messages), maxlen=count)
            if len(newest) == count or begin == whole.begin:
                return newest
            span *= _WIDER

    def _now(self) -> list[OffsetRange]:
        try:
            # All topics are asked for, as asking for one can create it.
            found: Any = self._consumer.list_topics(timeout=ANSWER_SECONDS).topics.get(self._topic)
            if found is None:
                raise BridgeError(
                    f"topic {self._topic} does not exist; `run` creates it once its source is on"
                )
            return [self._range(partition) for partition in sorted(found.partitions)]
        except KafkaException as error:
            raise BridgeError(f"cannot read topic {self._topic}: {error.args[0].str()}") from None

    def _range(self, partition: int) -> OffsetRange:
        asked = TopicPartition(self._topic, partition)
        edges = self._consumer.get_watermark_offsets(asked, timeout=ANSWER_SECONDS)
        if edges is None:
            raise BridgeError(f"cannot read topic {self._topic}: timed out")
        return OffsetRange(partition, *edges)
