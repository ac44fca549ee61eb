"""Puts records from a file on a topic."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from bridge.kafka.input_lines import InputRecord
from bridge.kafka.outgoing import Outgoing, OutgoingRecords
from bridge.kafka.refusal import Refusal
from bridge.telemetry.logs import librdkafka_logger

_POLL_EVERY_LINES = 1000
_FULL_SECONDS = 0.5
# These are about one record; all other failures would meet the next record as well.
_RECORD_ERRORS = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG}


def file_producer(settings: Mapping[str, Any]) -> Producer:
    """A producer that keeps the order of a file and gives up a record after 60 s without the broker."""
    fixed = {"enable.idempotence": True, "acks": "all", "message.timeout.ms": 60_000, "linger.ms": 20}
    return Producer({**settings, **fixed}, logger=librdkafka_logger())


@dataclass(slots=True)
class Sent:
    """What became of the records of a file. `failure` says why sending stopped early, if it did."""

    delivered: int = 0
    bad: int = 0
    undelivered: int = 0
    failure: str = ""

    @property
    def complete(self) -> bool:
        """Whether every line was good and is on the topic."""
        return not (self.bad or self.undelivered or self.failure)


def send(
    producer: Producer,
    topic: str,
    records: Iterable[InputRecord],
    outgoing: OutgoingRecords,
    *,
    strict: bool = False,
    on_bad: Callable[[int, str], None] = lambda line, detail: None,
) -> Sent:
    """Sends records as they come, in constant memory, and returns once each is delivered or given up.

    `on_bad` is told the line and the reason of each record that cannot be sent. With `strict` the first such
    record ends the sending; those before it are delivered. So does a broker that does not take records.

    Raises:
        SchemaError, SchemaRegistryUnavailable: the topic's schema cannot be registered.
        KafkaException: the producer cannot take a record at all, for example after a fatal error.
    """
    sent = Sent()

    def bad(line: int, detail: str) -> None:
        sent.bad += 1
        on_bad(line, detail)

    def reported(line: int, error: KafkaError | None, _: Message) -> None:
        if error is None:
            sent.delivered += 1
        elif error.code() in _RECORD_ERRORS:
            bad(line, f"the broker refuses the record: {error.str()}")
        else:
            sent.undelivered += 1
            sent.failure = sent.failure or f"line {line} was not delivered: {error.str()}"

    for count, each in enumerate(records, 1):
        try:
            message = _message(each, outgoing)
            _produce(producer, topic, message, partial(reported, each.line))
        except Refusal as refusal:
            bad(each.line, refusal.detail)
        if count % _POLL_EVERY_LINES == 0:
            producer.poll(0)
        if sent.failure or (strict and sent.bad):
            break
    # In short waits, so that Ctrl-C is heard; each record ends by its own timeout at the latest.
    while producer.flush(_FULL_SECONDS):
        pass
    return sent


def _message(each: InputRecord, outgoing: OutgoingRecords) -> Outgoing:
    if each.refusal is not None:
        raise each.refusal
    return outgoing.message(each.record)


def _produce(producer: Producer, topic: str, message: Outgoing, reported: Callable[..., None]) -> None:
    """Hands a record to the producer, waiting for room."""
    while True:
        try:
            producer.produce(topic, message.value, message.key, headers=message.headers, on_delivery=reported)
        except BufferError:
            producer.poll(_FULL_SECONDS)
        except KafkaException as error:
            if error.args[0].code() not in _RECORD_ERRORS:
                raise
            raise Refusal("too_large", f"the producer refuses the record: {error.args[0].str()}") from None
        else:
            return
