"""A plan that cannot be made, or not in full, says so in a sentence."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from bridge.core.errors import BridgeError
from bridge.kafka.create_topics import of_memory
from bridge.kafka.topic_plan import Planned, plan

WANTED = [of_memory("memory", 1)]


class Admin(AdminClient):
    """A cluster with the topic, that answers to the question for its settings with `error`, or never."""

    def __init__(self, error: int | None) -> None:
        self._error = error

    def list_topics(self, *_: Any, timeout: float = -1) -> Any:
        topic = SimpleNamespace(partitions={0: SimpleNamespace(replicas=[1])})
        return SimpleNamespace(topics={"memory": topic})

    def describe_configs(  # type: ignore[override]
        self, resources: Any, **_: float
    ) -> dict[Any, Future[Any]]:
        futures: dict[Any, Future[Any]] = {resource: Future() for resource in resources}
        for future in futures.values():
            if self._error is not None:
                future.set_exception(KafkaException(KafkaError(self._error)))
        return futures


def test_a_cluster_that_is_not_there_is_named() -> None:
    admin = AdminClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    with pytest.raises(BridgeError, match="cannot look at the topics of the Kafka cluster"):
        plan(admin, WANTED, timeout=0.2)


def test_settings_that_may_not_be_looked_at_are_told_as_such() -> None:
    """Whoever may create topics may not always look at their settings, and the plan is worth making still."""
    said = "its settings may not be looked at, which takes DescribeConfigs"
    admin = Admin(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    assert plan(admin, WANTED) == [Planned("memory", 1, exists=True, differences=(said,))]


@pytest.mark.parametrize("error", [KafkaError.INVALID_REQUEST, None])
def test_an_error_and_silence_are_told(error: int | None) -> None:
    with pytest.raises(BridgeError, match="cannot look at the topics of the Kafka cluster: "):
        plan(Admin(error), WANTED, timeout=0.01)
