"""What the commands about dead letters work with."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from bridge import config
from bridge.core.errors import BridgeError
from bridge.kafka.contents import Contents
from bridge.kafka.create_topics import create_memory
from bridge.kafka.decisions import Decisions
from bridge.kafka.fenced_producer import FencedProducer
from bridge.kafka.fix_up import Edits, FixUp
from bridge.kafka.letters import DeadLetterBox
from bridge.kafka.replay import Decider
from bridge.kafka.topics import Topic
from bridge.streams import SINKS
from bridge.telemetry.logs import librdkafka_logger
from bridge.wiring.topics import outgoing, sink_topics, topic_decoder, wire

CLUSTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class DeadLetterDesk:
    """The dead letters of one stream, and what it takes to read them and to decide about them."""

    settings: config.Settings
    topic: Topic
    box: DeadLetterBox
    decisions: Decisions
    contents: Contents

    def fix_up(self, edits: Edits) -> FixUp:
        """What mends their records.

        Raises:
            SchemaError: the topic's schema cannot be used.
        """
        return FixUp(
            edits,
            SINKS[self.topic.stream],
            self.contents,
            wire(self.settings, self.topic),
            outgoing(self.settings, self.topic),
            topic_decoder(self.settings, self.topic),
        )

    def decider(self) -> Decider:
        """What decides about them, once the topic that remembers is there.

        Raises:
            BridgeError: it is not, or Kafka does not answer.
        """
        kafka = self.settings.kafka.client_settings()
        _have_memory(self.settings, AdminClient({**kafka}, logger=librdkafka_logger()))
        group = f"{self.settings.kafka.group_prefix}.{self.topic.stream}"
        producer = FencedProducer(kafka, f"{group}.dead-letters.{self.topic.dead_letters.topic}")
        return Decider(producer, self.decisions, time.time, time.monotonic, time.sleep)


@contextmanager
def dead_letter_desk(settings: config.Settings, stream: str) -> Iterator[DeadLetterDesk]:
    """The desk of a stream for as long as the block lasts.

    Raises:
        BridgeError: something is wrong with the configuration, a topic or a schema.
    """
    topic = sink_topics(settings, [stream])[stream]
    contents = Contents(SINKS[stream], topic, wire(settings, topic), settings.apps.names)
    kafka, letters = settings.kafka.client_settings(), topic.dead_letters.topic
    decisions = Decisions(kafka, settings.kafka.decisions_topic, letters, topic.topic)
    box = DeadLetterBox(kafka, f"{settings.kafka.group_prefix}.dead-letters", topic, decisions)
    try:
        yield DeadLetterDesk(settings, topic, box, decisions, contents)
    finally:
        box.close()


def _have_memory(settings: config.Settings, admin: AdminClient) -> None:
    """Makes sure of the topic: one that the broker made by itself would forget."""
    kafka = settings.kafka
    if kafka.create_topics:
        create_memory(admin, kafka.decisions_topic, kafka.replication_factor)
        return
    try:
        there = kafka.decisions_topic in admin.list_topics(timeout=CLUSTER_SECONDS).topics
    except KafkaException as error:
        raise BridgeError(f"cannot list the topics of the Kafka cluster: {error.args[0].str()}") from None
    if not there:
        raise BridgeError(
            f"topic {kafka.decisions_topic} does not exist; create it with cleanup.policy=compact, or set "
            "kafka.create_topics"
        )
