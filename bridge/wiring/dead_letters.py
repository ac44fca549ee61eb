"""What the commands about dead letters work with."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka.admin import AdminClient

from bridge import config
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
        if self.settings.kafka.create_topics:
            admin = AdminClient({**kafka}, logger=librdkafka_logger())
            create_memory(admin, self.settings.kafka.decisions_topic, self.settings.kafka.replication_factor)
        self.decisions.check()
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
