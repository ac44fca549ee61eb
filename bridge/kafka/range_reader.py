"""Reads ranges of offsets once, from begin to end, beside the consumer groups and without being in one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from bridge.core.errors import BridgeError
from bridge.kafka.consumer import FIXED
from bridge.kafka.offset_range import OffsetRange
from bridge.telemetry.logs import librdkafka_logger

CHUNK_RECORDS = 5000
POLL_SECONDS = 0.1
# A minute without records and without the word that there are none: longer than a change of leader takes.
QUIET_POLLS = 600


@dataclass(frozen=True, slots=True)
class Piece:
    """Records of one partition, in order. All offsets below `reached` have been read, holes among them."""

    partition: int
    messages: list[Message]
    reached: int


def range_consumer(settings: Mapping[str, Any], group: str) -> Consumer:
    """A consumer for `read_ranges`. librdkafka needs the name of a `group`, which is never joined.

    Only committed records are read. Records that are gone are an error instead of a silent gap.
    """
    reading = {"group.id": group, "enable.partition.eof": True, "auto.offset.reset": "error"}
    # Going to the next partition waits for the fetch under way, which by default takes half a second.
    return Consumer({"fetch.wait.max.ms": 50, **settings, **FIXED, **reading}, logger=librdkafka_logger())


def read_ranges(consumer: Consumer, topic: str, ranges: Iterable[OffsetRange]) -> Iterator[Piece]:
    """The records of the ranges, partition by partition, so that the same ranges read the same again.

    Raises:
        BridgeError: records of a range are gone, or Kafka gives none for a minute.
    """
    for wanted in ranges:
        if len(wanted):
            consumer.assign([TopicPartition(topic, wanted.partition, wanted.begin)])
            yield from _read(consumer, topic, wanted)


def _read(consumer: Consumer, topic: str, wanted: OffsetRange) -> Iterator[Piece]:
    reached, quiet, cause = wanted.begin, 0, "no word why"
    while reached < wanted.end:
        # No more than is left, so that the last poll need not wait for records that nobody wants.
        polled = consumer.consume(min(CHUNK_RECORDS, wanted.end - reached), POLL_SECONDS)
        before, messages = reached, []
        for message in polled:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                cause = _bearable(error, topic, wanted)
            elif message.partition() == wanted.partition:  # the end of another must not end this one
                offset = message.offset() or 0
                if error is None and offset < wanted.end:
                    messages.append(message)
                reached = min(offset + (error is None), wanted.end)
        if reached > before:
            quiet = 0
            yield Piece(wanted.partition, messages, reached)
        elif (quiet := quiet + 1) >= QUIET_POLLS:
            where = f"{topic}, partition {wanted.partition}, offset {reached} of {wanted.end}"
            raise BridgeError(f"Kafka gives no records of {where}: {cause}")


def _bearable(error: KafkaError, topic: str, wanted: OffsetRange) -> str:
    """What is wrong, where librdkafka goes on by itself."""
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        raise BridgeError(
            f"records of {topic}, partition {wanted.partition}, were deleted while offsets {wanted.begin} to "
            f"{wanted.end} were read ({error.str()}); choose a later range"
        )
    if error.fatal():
        raise BridgeError(f"Kafka ended the reading of {topic}: {error.str()}")
    return error.str()
