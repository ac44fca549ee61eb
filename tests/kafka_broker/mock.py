"""librdkafka's built-in cluster: in this process, ready in milliseconds, reachable for any client.

It keeps about 5 MB a partition, makes topics by itself with 4 partitions, and has no admin requests.
"""

from confluent_kafka import Producer


class MockBroker:
    """A mock cluster that lives as long as this object is open."""

    kind = "mock"

    def __init__(self, brokers: int = 1) -> None:
        self._owner: Producer | None = Producer({"test.mock.num.brokers": brokers, "log_level": 0})
        found = self._owner.list_topics(timeout=10).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in found)

    def log_tail(self) -> str:
        """It writes none."""
        return ""

    def close(self) -> None:
        """Ends it: the cluster goes with the client that owns it."""
        self._owner = None
