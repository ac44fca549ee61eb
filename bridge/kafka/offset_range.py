"""A range of time on a topic as ranges of offsets, one for each partition."""

from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from bridge.core.errors import BridgeError
from bridge.kafka.topics import Topic

ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """The offsets of one partition from `begin` up to, and without, `end`; not each of them has a record."""

    partition: int
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin

    def within(self, other: "OffsetRange") -> "OffsetRange":
        """The part of it that is in another range of the same partition."""
        begin = max(self.begin, other.begin)
        return OffsetRange(self.partition, begin, max(begin, min(self.end, other.end)))


def offset_ranges(
    consumer: Consumer, topic: Topic, begin_ms: int | None = None, end_ms: int | None = None
) -> list[OffsetRange]:
    """The offsets from the first record at `begin_ms` or later to the first at `end_ms` or later.

    Both are Kafka timestamps, in milliseconds since 1970 and not negative; None is no bound. A partition
    without a record at `end_ms` or later ends where it ends now, for a consumer of committed records before
    the first open transaction. Ranges that meet in time meet in offsets, whatever the order of the records'
    times: a late record belongs to the range that it arrived in.

    Raises:
        BridgeError: the topic does not exist, or Kafka does not answer.
    """
    try:
        partitions = _partitions(consumer, topic)
        # The ends first: records that come in between are later than `end_ms` or belong to a later export.
        edges = {each: _edges(consumer, topic, each) for each in partitions}
        begins = {each: low for each, (low, _) in edges.items()}
        if begin_ms is not None:
            begins = _first_at(consumer, topic, partitions, begin_ms)
        ends = {} if end_ms is None else _first_at(consumer, topic, partitions, end_ms)
    except KafkaException as error:
        raise BridgeError(
            f"Kafka does not tell the offsets of {topic.topic}: {error.args[0].str()}"
        ) from None
    return [_range(each, *edges[each], begins.get(each), ends.get(each)) for each in partitions]


def _range(partition: int, low: int, high: int, begin: int | None, end: int | None) -> OffsetRange:
    end = max(low, high if end is None else min(end, high))
    return OffsetRange(partition, end if begin is None else min(max(begin, low), end), end)


def _partitions(consumer: Consumer, topic: Topic) -> list[int]:
    # All topics are asked for, as asking for one can create it.
    found: Any = consumer.list_topics(timeout=ANSWER_SECONDS).topics.get(topic.topic)
    if found is None:
        raise BridgeError(
            f"topic {topic.topic} does not exist; sinks.{topic.stream} names the topics of the stream"
        )
    if found.error is not None:
        raise KafkaException(found.error)
    return sorted(found.partitions)


def _edges(consumer: Consumer, topic: Topic, partition: int) -> tuple[int, int]:
    """The first offset that the broker still holds, and the one after the last that may be read."""
    edges = consumer.get_watermark_offsets(TopicPartition(topic.topic, partition), timeout=ANSWER_SECONDS)
    if edges is None:
        raise BridgeError(
            f"Kafka does not tell the offsets of {topic.topic}, partition {partition}: timed out"
        )
    return edges


def _first_at(consumer: Consumer, topic: Topic, partitions: list[int], time_ms: int) -> dict[int, int]:
    """By partition the first offset with this time or a later one; partitions without such are left out."""
    times = [TopicPartition(topic.topic, each, time_ms) for each in partitions]
    found = consumer.offsets_for_times(times, timeout=ANSWER_SECONDS)
    for each in found:
        if each.error is not None:
            raise KafkaException(each.error)
    return {each.partition: each.offset for each in found if each.offset >= 0}
