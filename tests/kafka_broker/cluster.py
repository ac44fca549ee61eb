"""What a test sees of a broker: its address, and topics of its own on it."""

import secrets
from dataclasses import dataclass
from typing import Generic, TypeVar

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bridge.kafka.embedded import PARTITIONS
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.ready import wait_until_led

AnyBroker = TypeVar("AnyBroker", bound=Broker, covariant=True)


@dataclass(frozen=True, slots=True)
class Cluster(Generic[AnyBroker]):
    """A broker under test, and what is needed to prepare it."""

    broker: AnyBroker

    @property
    def bootstrap(self) -> str:
        """The address for `bootstrap.servers`."""
        return self.broker.bootstrap

    @property
    def real(self) -> bool:
        """Whether this is Apache Kafka and not the mock cluster."""
        return self.broker.kind != "mock"

    def unique(self, name: str) -> str:
        """A name for a topic, group or transaction that no other test has."""
        return f"{name}-{secrets.token_hex(4)}"

    def create_topic(self, name: str = "topic", partitions: int = PARTITIONS, **settings: str | int) -> str:
        """Creates a topic under a unique name made of this one, and returns that.

        Topic settings are written with underscores (`cleanup_policy="compact"`). The mock cluster ignores
        them and has 4 partitions whatever was asked for: `partitions(topic)` says how many there are.
        """
        topic = self.unique(name)
        if not self.real:
            self.partitions(topic)  # asking for a topic creates it there
            return topic
        config = {key.replace("_", "."): str(value) for key, value in settings.items()}
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config)
        admin.create_topics([new], operation_timeout=30)[topic].result(timeout=30)
        wait_until_led(self.bootstrap, topic, partitions)
        return topic

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return len(admin.list_topics(topic, timeout=30).topics[topic].partitions)
