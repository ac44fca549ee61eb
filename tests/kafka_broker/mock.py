"""librdkafka's built-in cluster as a broker for tests: ready in milliseconds, and no admin requests."""

from bridge.kafka.embedded import EmbeddedKafka


class MockBroker(EmbeddedKafka):
    """A mock cluster that lives as long as this object is open."""

    kind = "mock"

    def log_tail(self) -> str:
        """It writes none."""
        return ""
