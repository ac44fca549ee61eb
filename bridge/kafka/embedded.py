"""A Kafka for demonstrations: librdkafka's mock cluster, in this process, for any client on loopback.

It keeps about 5 MB of each partition, makes topics with 4 partitions for whoever writes to them, and forgets
all at its end.
"""

from collections.abc import Iterable

from confluent_kafka import Producer

PARTITIONS = 4


class EmbeddedKafka:
    """A cluster that lives until it is closed. `bootstrap` is the address for clients."""

    def __init__(self, brokers: int = 1) -> None:
        self._owner: Producer | None = Producer({"test.mock.num.brokers": brokers, "log_level": 0})
        found = self._owner.list_topics(timeout=10).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in found)

    def create(self, topics: Iterable[str]) -> None:
        """Makes topics: whoever asks for one finds it there."""
        for topic in topics:
            if self._owner is not None:
                self._owner.list_topics(topic, timeout=10)

    def close(self) -> None:
        """Ends it: the cluster goes with the client that owns it."""
        self._owner = None
