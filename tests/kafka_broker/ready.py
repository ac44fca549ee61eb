"""Waiting until a broker serves."""

import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka_broker.broker import BrokerFailed


def serves(bootstrap: str, seconds: float) -> bool:
    """Whether a broker answers at this address within the time."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200})
    try:
        return bool(admin.list_topics(timeout=seconds).brokers)
    except KafkaException:
        return False


def wait_until_ready(bootstrap: str, alive: Callable[[], bool], seconds: float = 60) -> None:
    """Returns when the broker serves.

    Raises:
        BrokerFailed: it ended, or the time is over.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not alive():
            raise BrokerFailed("the broker ended while it started")
        if serves(bootstrap, seconds=1):
            return
        time.sleep(0.05)
    raise BrokerFailed(f"the broker did not serve within {seconds:.0f} seconds")


def wait_until_led(bootstrap: str, topic: str, partitions: int, seconds: float = 60) -> None:
    """Returns when a leader answers for each partition: it does so a little later than the topic is made.

    Raises:
        KafkaException: the time is over.
    """
    asking = Consumer({"bootstrap.servers": bootstrap, "group.id": "nobody", "log_level": 0})
    deadline = time.monotonic() + seconds
    for partition in range(partitions):
        while True:
            try:
                asking.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
                break
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            asking.list_topics(topic, timeout=5)
            time.sleep(0.05)
    asking.close()
