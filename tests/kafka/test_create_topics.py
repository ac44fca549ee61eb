"""Topics that do not exist are created as described, and those that do are left alone."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from bridge.core.errors import BridgeError
from bridge.kafka.create_topics import DEAD_LETTER_BYTES, create, create_missing, of_cursors
from bridge.kafka.topics import load_outputs, overridden_output
from tests.kafka.records import usage_topic
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.ready import wait_until_led

TOPIC = usage_topic(parked={"topic": "parked"})
DEAD, PARKED = TOPIC.dead_letters.topic, "parked"


class Admin(AdminClient):
    """A cluster with these topics, that answers every request to create one with `error`, or never."""

    def __init__(self, existing: tuple[str, ...] = (), error: int | None = 0) -> None:
        self.existing = existing
        self.error = error
        self.asked: dict[str, Any] = {}
        self.bounds: list[float] = []

    def list_topics(self, *_: Any, timeout: float = -1) -> Any:
        self.bounds.append(timeout)
        return type("Cluster", (), {"topics": dict.fromkeys(self.existing)})

    def create_topics(self, new: Any, **bounds: float) -> dict[str, Future[None]]:  # type: ignore[override]
        self.asked = {each.topic: each for each in new}
        self.bounds += bounds.values()
        futures: dict[str, Future[None]] = {name: Future() for name in self.asked}
        for future in futures.values():
            if self.error:
                future.set_exception(KafkaException(KafkaError(self.error)))
            elif self.error is not None:
                future.set_result(None)
        return futures


def test_topics_are_created_as_described() -> None:
    admin = Admin()
    assert create_missing(admin, [TOPIC], 3, timeout=7) == [TOPIC.topic, DEAD, PARKED]
    records, dead = admin.asked[TOPIC.topic], admin.asked[DEAD]
    assert (records.num_partitions, records.replication_factor) == (6, 3)
    assert records.config == {"cleanup.policy": "delete", "retention.ms": str(7 * 24 * 3600 * 1000)}
    assert (dead.num_partitions, dead.replication_factor) == (1, 3)
    assert dead.config == {
        "cleanup.policy": "delete",
        "retention.ms": str(30 * 24 * 3600 * 1000),
        "max.message.bytes": str(DEAD_LETTER_BYTES),
    }
    assert admin.asked[PARKED].num_partitions == 12
    assert admin.bounds == [7, 7, 7]


def test_outputs_are_created_as_described_and_bear_the_times_of_their_records() -> None:
    admin, outputs = Admin(), load_outputs()
    assert create_missing(admin, [outputs["audit_events"], outputs["apps"]], 3) == [
        "productiv.audit-events",
        "productiv.apps",
    ]
    events = admin.asked["productiv.audit-events"]
    assert (events.num_partitions, events.replication_factor) == (6, 3)
    assert events.config == {
        "cleanup.policy": "delete",
        "retention.ms": str(400 * 24 * 3600 * 1000),
        "message.timestamp.type": "CreateTime",
    }
    assert admin.asked["productiv.apps"].config["cleanup.policy"] == "compact"


def test_cursors_are_kept_for_ever_and_may_be_long() -> None:
    admin = Admin()
    assert create(admin, [of_cursors("cursors", 3)]) == ["cursors"]
    cursors = admin.asked["cursors"]
    assert (cursors.num_partitions, cursors.replication_factor) == (12, 3)
    assert cursors.config["cleanup.policy"] == "compact"
    assert cursors.config["max.message.bytes"] == str(16 * 1024 * 1024)


def test_topics_that_exist_are_left_alone() -> None:
    admin = Admin(existing=(TOPIC.topic,))
    assert create_missing(admin, [TOPIC], 1) == [DEAD, PARKED]
    assert list(admin.asked) == [DEAD, PARKED]
    assert create_missing(Admin(existing=(TOPIC.topic, DEAD, PARKED)), [TOPIC], 1) == []


def test_a_topic_that_another_process_just_created_is_as_good() -> None:
    assert create_missing(Admin(error=KafkaError.TOPIC_ALREADY_EXISTS), [TOPIC], 1) == []


def test_a_refusal_names_topic_and_reason() -> None:
    with pytest.raises(
        BridgeError, match=r"cannot create topic productiv\.usage: .*TOPIC_AUTHORIZATION_FAILED"
    ):
        create_missing(Admin(error=KafkaError.TOPIC_AUTHORIZATION_FAILED), [TOPIC], 1)


def test_a_cluster_that_never_answers_is_not_waited_for() -> None:
    with pytest.raises(BridgeError, match=r"cannot create topic productiv\.usage: no answer within 0.01 s"):
        create_missing(Admin(error=None), [TOPIC], 1, timeout=0.01)


def test_a_cluster_that_is_not_there_is_named() -> None:
    admin = AdminClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    with pytest.raises(BridgeError, match="cannot list the topics of the Kafka cluster"):
        create_missing(admin, [TOPIC], 1, timeout=0.2)


@pytest.mark.real_kafka
def test_real_topics_are_as_described(kafka: Cluster[Broker]) -> None:
    name = kafka.unique("usage")
    topic = usage_topic(
        topic=name, dead_letters={"topic": f"{name}.dead"}, parked={"topic": f"{name}.parked"}
    )
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    assert create_missing(admin, [topic], -1) == [name, f"{name}.dead", f"{name}.parked"]
    assert create_missing(admin, [topic], -1) == []
    assert (kafka.partitions(name), kafka.partitions(f"{name}.dead")) == (6, 1)


@pytest.mark.real_kafka
def test_real_topics_of_sources_are_as_described(kafka: Cluster[Broker]) -> None:
    output = overridden_output(load_outputs()["executions"], kafka.unique("executions"), None)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    cursors = kafka.unique("cursors")
    assert create_missing(admin, [output], -1) == [output.topic]
    assert create(admin, [of_cursors(cursors, -1)]) == [cursors]
    wait_until_led(kafka.bootstrap, output.topic, 6)
    wait_until_led(kafka.bootstrap, cursors, 12)
    assert (kafka.partitions(output.topic), kafka.partitions(cursors)) == (6, 12)
