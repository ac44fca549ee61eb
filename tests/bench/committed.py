"""What a consumer group has committed, and what stands on a topic."""

from confluent_kafka import Consumer, TopicPartition

from tests.bench.watched import BenchFailed


class Group:
    """A consumer group, as it is seen from outside. Use it as a context manager."""

    def __init__(self, bootstrap: str, name: str, topic: str, partitions: int) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": name})
        self._parts = [TopicPartition(topic, number) for number in range(partitions)]

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def committed(self) -> int:
        """How many records of the topic lie behind its offsets."""
        return sum(max(part.offset, 0) for part in self._consumer.committed(self._parts, timeout=30))


def records_on(bootstrap: str, topic: str) -> int:
    """How many records a topic of one partition has."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-looks"})
    try:
        _, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
    finally:
        consumer.close()
    return int(high)


def same(what: str, found: object, wanted: object) -> None:
    """Fails loudly.

    Raises:
        BenchFailed: something is not what it should be.
    """
    if found != wanted:
        raise BenchFailed(f"{what}: {found} where {wanted} should be")
