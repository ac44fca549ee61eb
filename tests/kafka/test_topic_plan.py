"""A plan that cannot be made is told in a sentence."""

import pytest
from confluent_kafka.admin import AdminClient

from bridge.core.errors import BridgeError
from bridge.kafka.create_topics import of_memory
from bridge.kafka.topic_plan import plan


def test_a_cluster_that_is_not_there_is_named() -> None:
    admin = AdminClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    with pytest.raises(BridgeError, match="cannot look at the topics of the Kafka cluster"):
        plan(admin, [of_memory("memory", 1)], timeout=0.2)
