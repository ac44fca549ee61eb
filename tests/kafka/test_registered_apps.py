"""The bridge's memory of its applications: what was written last is what is read, on both kinds of Kafka."""

import json
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from bridge.core.errors import BridgeError
from bridge.kafka.create_topics import create_memory
from bridge.kafka.registered_apps import RegisteredApp, RegisteredApps
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

CRM = RegisteredApp("CRM", "app-1", "2026-01-01T00:00:00+00:00")
NOBODY = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}


def memory(kafka: Cluster[Broker], **settings: Any) -> tuple[RegisteredApps, str]:
    topic = kafka.create_topic("applications", 1, cleanup_policy="compact", **settings)
    return RegisteredApps({"bootstrap.servers": kafka.bootstrap}, topic), topic


def put(kafka: Cluster[Broker], topic: str, key: str | None, value: bytes | None) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(topic, value, key)
    assert producer.flush(30) == 0


def test_the_last_word_of_each_name_is_remembered(any_kafka: Cluster[Broker]) -> None:
    apps, topic = memory(any_kafka)
    assert apps.read() == {}
    again = RegisteredApp("CRM", "app-7", "2026-01-02T00:00:00+00:00")
    for app in (CRM, RegisteredApp("größe", "app-2", "2026"), again, RegisteredApp("gone", "app-3", "2026")):
        apps.write(app)
    put(any_kafka, topic, "gone", None)
    assert apps.read() == {"CRM": again, "größe": RegisteredApp("größe", "app-2", "2026")}


def test_a_registration_is_kept_in_the_documented_form(mock_kafka: Cluster[Broker]) -> None:
    apps, topic = memory(mock_kafka)
    value = {"name": "CRM", "app_id": "app-1", "registered_at": "2026-01-01T00:00:00+00:00"}
    put(mock_kafka, topic, "CRM", json.dumps(value).encode())
    assert apps.read() == {"CRM": CRM}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CRM", b"no JSON"),
        ("CRM", b"[]"),
        ("CRM", b'{"name": "CRM", "app_id": "1"}'),
        ("CRM", b'{"name": "CRM", "app_id": "", "registered_at": "2026"}'),
        ("CRM", b'{"name": "CRM", "app_id": 7, "registered_at": "2026"}'),
        ("Wiki", b'{"name": "CRM", "app_id": "1", "registered_at": "2026"}'),
        (None, b'{"name": "CRM", "app_id": "1", "registered_at": "2026"}'),
    ],
)
def test_what_is_no_registration_is_named_by_its_offset(
    mock_kafka: Cluster[Broker], key: str | None, value: bytes
) -> None:
    apps, topic = memory(mock_kafka)
    put(mock_kafka, topic, key, value)
    with pytest.raises(
        BridgeError, match=rf"topic {topic}, partition \d, offset 0: this is no registered app"
    ):
        apps.read()


def test_a_topic_that_is_not_there_holds_nothing_and_takes_nothing(any_kafka: Cluster[Broker]) -> None:
    apps = RegisteredApps({"bootstrap.servers": any_kafka.bootstrap}, any_kafka.unique("nowhere"))
    assert apps.read() == {}
    with pytest.raises(BridgeError, match="does not exist; create it with cleanup"):
        apps.check()
    memory(any_kafka)[0].check()


def test_a_cluster_that_does_not_answer_is_told() -> None:
    apps = RegisteredApps(NOBODY, "applications", seconds=0.2)
    with pytest.raises(BridgeError, match="cannot read topic applications"):
        apps.read()
    with pytest.raises(BridgeError, match="cannot list the topics"):
        apps.check()


def test_an_app_that_could_not_be_remembered_is_told_with_its_id(mock_kafka: Cluster[Broker]) -> None:
    apps = RegisteredApps({"bootstrap.servers": mock_kafka.bootstrap, "message.max.bytes": 1000}, "apps")
    with pytest.raises(BridgeError, match="has the id 'app-1' at Productiv, but topic apps did not take it"):
        apps.write(RegisteredApp("CRM" * 1000, "app-1", "2026"))


@pytest.mark.real_kafka
def test_the_topic_is_made_compacted_and_in_order(kafka: Cluster[Broker]) -> None:
    admin, topic = AdminClient({"bootstrap.servers": kafka.bootstrap}), kafka.unique("applications")
    assert create_memory(admin, topic, -1) == [topic]
    assert create_memory(admin, topic, -1) == []
    assert kafka.partitions(topic) == 1
    resource = ConfigResource(ResourceType.TOPIC, topic)
    config = admin.describe_configs([resource])[resource].result(30)
    assert config["cleanup.policy"].value == "compact"
