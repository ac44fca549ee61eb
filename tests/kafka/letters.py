"""Dead letters as the bridge writes them, for the tests that read them."""

import asyncio
from typing import Any

import orjson
from confluent_kafka import Consumer, Message, TopicPartition

from bridge.core.record import Refused
from bridge.kafka.dead_letters import DeadLetters
from bridge.kafka.topics import Topic
from tests.kafka.records import usage_topic
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

AT = 1_767_225_600_000  # 2026-01-01


def stage_topic(kafka: Cluster[Broker], partitions: int = 4) -> Topic:
    """A usage topic and its dead-letter topic, of their own."""
    letters = kafka.create_topic("dead", 1, max_message_bytes=16_000_000)
    return usage_topic(topic=kafka.create_topic("usage", partitions), dead_letters={"topic": letters})


def refused(topic: str, offset: int, value: Any = None, reason: str = "invalid", **message: Any) -> Refused:
    """A record of the topic that was refused; a dict goes as JSON."""
    body = orjson.dumps(value) if isinstance(value, dict) else value
    place = {"partition": 0, "timestamp": (1, AT + offset), "key": b"%d" % offset, **message}
    return Refused(Message(topic=topic, offset=offset, value=body, **place), reason, f"{reason} for a test")


def bury(kafka: Cluster[Broker], topic: Topic, *letters: Refused) -> None:
    """Puts them on the dead-letter topic."""
    writer = DeadLetters({"bootstrap.servers": kafka.bootstrap}, topic.dead_letters.topic)
    asyncio.run(writer.write(letters))
    writer.close()


def committed(kafka: Cluster[Broker], topic: str) -> list[Message]:
    """All that a consumer of committed records finds on a topic."""
    settings = {"group.id": "the-test", "enable.partition.eof": True, "isolation.level": "read_committed"}
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, **settings})
    found: list[Message] = []
    try:
        left = set(range(kafka.partitions(topic)))
        consumer.assign([TopicPartition(topic, partition, 0) for partition in left])
        while left:
            for message in consumer.consume(1000, 0.2):
                if message.error() is None:
                    found.append(message)
                else:
                    left.discard(message.partition() or 0)
    finally:
        consumer.close()
    return sorted(found, key=lambda each: (each.partition() or 0, each.offset() or 0))
