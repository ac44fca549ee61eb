"""An order to resume is heard by whoever was stopped when it was given, and by nobody else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from bridge.kafka.create_topics import create_memory
from bridge.kafka.decisions import Decisions
from bridge.kafka.resume_orders import ResumeOrders, resume_order
from tests.kafka.letters import committed
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

GROUP = "bridge.usage"


@contextmanager
def hearing(kafka: Cluster[Broker], topic: str, group: str = GROUP) -> Iterator[ResumeOrders]:
    orders = ResumeOrders({"bootstrap.servers": kafka.bootstrap}, topic, group)
    orders.begin()
    try:
        yield orders
    finally:
        orders.close()


def order(kafka: Cluster[Broker], topic: str, group: str = GROUP, at: int = 1) -> None:
    record = resume_order(topic, group, "the app is known now", at)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(topic, record.value, record.key)
    assert producer.flush(30) == 0


def test_only_an_order_that_comes_later_counts_whatever_the_clocks_say(any_kafka: Cluster[Broker]) -> None:
    topic = any_kafka.create_topic("decisions", 1)
    order(any_kafka, topic, at=10**15)
    with hearing(any_kafka, topic) as first:
        assert not first.given()
        order(any_kafka, topic, at=1)
        with hearing(any_kafka, topic) as second:
            assert first.given()
            assert not second.given()


def test_orders_to_others_are_not_for_us(mock_kafka: Cluster[Broker]) -> None:
    topic = mock_kafka.create_topic("decisions", 1)
    with hearing(mock_kafka, topic) as ours, hearing(mock_kafka, topic, "bridge.users") as theirs:
        order(mock_kafka, topic, "bridge.users")
        assert not ours.given()
        assert theirs.given()


def test_an_order_is_kept_in_the_documented_form_and_is_no_decision(mock_kafka: Cluster[Broker]) -> None:
    topic = mock_kafka.create_topic("decisions", 1)
    order(mock_kafka, topic)
    [kept] = committed(mock_kafka, topic)
    assert kept.key() == b"resume:bridge.usage"
    assert json.loads(kept.value() or b"") == {"at": 1, "reason": "the app is known now"}
    decisions = Decisions({"bootstrap.servers": mock_kafka.bootstrap}, topic, "resume", "bridge")
    decisions.read()
    decisions.close()


@pytest.mark.real_kafka
def test_in_a_topic_that_is_made_later_all_orders_count(kafka: Cluster[Broker]) -> None:
    topic = kafka.unique("decisions")
    with hearing(kafka, topic) as orders:
        assert not orders.given()
        create_memory(AdminClient({"bootstrap.servers": kafka.bootstrap}), topic, 1)
        order(kafka, topic)
        assert orders.given()
