"""Puts a job's events on a topic of their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient

from tests.bench.job import Job
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

FLUSH_SECONDS = 120.0
CHUNK = 20_000  # events between two looks at the acknowledgements


class LoadFailed(Exception):
    """The events did not get onto the topic."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The topics of a job: where they are, and how large an event is on average, in bytes."""

    bootstrap: str
    topic: str
    dead_letters: str
    event_bytes: float = 0.0


@contextmanager
def empty(kafka: Cluster[Broker], partitions: int) -> Iterator[Loaded]:
    """A topic for events and one for dead letters, both deleted at the end."""
    topic = kafka.create_topic("bench-usage", partitions)
    dead_letters = kafka.create_topic("bench-dead-letters", 1)
    try:
        yield Loaded(kafka.bootstrap, topic, dead_letters)
    finally:
        # Matters for a broker that lives on; a broker of our own takes everything with it.
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
        for deleted in admin.delete_topics([topic, dead_letters], operation_timeout=10).values():
            deleted.result(timeout=20)


@contextmanager
def loaded(kafka: Cluster[Broker], job: Job, progress: Callable[[int], None]) -> Iterator[Loaded]:
    """As `empty`, with the job's events on it.

    Raises:
        LoadFailed: the broker did not take all of them.
    """
    with empty(kafka, job.partitions) as topics:
        size = _produce(kafka.bootstrap, topics.topic, job, progress)
        yield replace(topics, event_bytes=size / job.events)


def _produce(bootstrap: str, topic: str, job: Job, progress: Callable[[int], None]) -> int:
    acknowledged = total_bytes = 0
    errors: list[str] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        nonlocal acknowledged
        acknowledged += 1
        if error is not None:
            errors.append(error.str())

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "acks": "all",
            "queue.buffering.max.messages": 10 * CHUNK,
            "on_delivery": on_delivery,
        }
    )
    for number, (partition, value) in enumerate(job.values()):
        producer.produce(topic, value, partition=partition)
        total_bytes += len(value)
        if number % CHUNK == 0:
            while len(producer) > 5 * CHUNK:
                producer.poll(0.1)
            progress(acknowledged)
    if left := producer.flush(FLUSH_SECONDS):
        raise LoadFailed(f"{left} events were not acknowledged within {FLUSH_SECONDS:g} s")
    if errors:
        raise LoadFailed(f"{len(errors)} events were refused: {errors[0]}")
    progress(acknowledged)
    return total_bytes
