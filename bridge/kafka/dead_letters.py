"""Writes records that cannot be delivered to a dead-letter topic, unchanged, with the reason beside them."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message

from bridge.core.record import Refused
from bridge.kafka.headers import all_headers
from bridge.kafka.parked_messages import ParkedMessage
from bridge.kafka.rotation import FollowingProducer

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
DELIVERY_SECONDS = 10  # also how long a bridge that ends may have to wait for a broker that is gone
# What is kept of a value that the dead-letter topic refuses for its size; the whole one stays where the
# `bridge.topic`, `bridge.partition` and `bridge.offset` headers point, for as long as that topic keeps it.
CUT_BYTES = 512 * 1024

FIXED: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "message.max.bytes": 16 * 1024 * 1024,
    "message.timeout.ms": DELIVERY_SECONDS * 1000,
}


class DeadLetters:
    """The dead-letter topic of one stream."""

    def __init__(self, settings: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        self._producer = FollowingProducer(settings, FIXED)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"kafka-{topic}")

    async def write(self, refused: Sequence[Refused]) -> None:
        """Returns once the broker has acknowledged every record; tries for as long as that takes.

        Raises:
            ClientLost: the client will never reach Kafka again.
        """
        loop = asyncio.get_running_loop()
        left = list(refused)
        while True:
            left, cause = await loop.run_in_executor(self._thread, self._write, left)
            if not left:
                return
            log.warning("dead_letters_not_written", topic=self._topic, records=len(left), error=cause)
            await asyncio.sleep(RETRY_SECONDS)

    def close(self) -> None:
        """Ends the thread. The records of a `write` that has not returned are still outstanding."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _write(self, refused: list[Refused]) -> tuple[list[Refused], str]:
        """Returns the records that were not acknowledged, and the cause of one of them."""
        failed = self._send(refused, None)
        oversize = [one for one, error in failed if error.code() == KafkaError.MSG_SIZE_TOO_LARGE]
        failed = [each for each in failed if each[1].code() != KafkaError.MSG_SIZE_TOO_LARGE]
        failed += self._send(oversize, CUT_BYTES)
        return [one for one, _ in failed], failed[0][1].str() if failed else ""

    def _send(self, refused: list[Refused], cut: int | None) -> list[tuple[Refused, KafkaError]]:
        """Produces and waits for the answers. Returns the records that failed, each with its error."""
        answers: dict[int, KafkaError | None] = {}

        for index, one in enumerate(refused):

            def answered(error: KafkaError | None, _: Message, index: int = index) -> None:
                answers[index] = error

            self._produce(one, cut, answered)
        self._producer.flush(DELIVERY_SECONDS + 2)
        silence = KafkaError(KafkaError._MSG_TIMED_OUT)
        outcomes = [(one, answers.get(index, silence)) for index, one in enumerate(refused)]
        failed = [(one, error) for one, error in outcomes if error is not None]
        if failed:
            self._producer.answers()
        return failed

    def _produce(self, one: Refused, cut: int | None, answered: Any) -> None:
        message: Any = one.origin
        value = message.value()
        headers = [*all_headers(message), *_headers(one)]
        if cut is not None and value is not None:
            headers.append(("bridge.value-bytes", str(len(value))))
            value = value[:cut]
        while True:
            try:
                self._producer.produce(
                    self._topic, value, message.key(), headers=headers, on_delivery=answered
                )
            except BufferError:  # the producer's queue is full: let it send
                self._producer.poll(1.0)
                continue
            except KafkaException as error:
                answered(error.args[0], message)
            return


def own_headers(message: Any) -> list[tuple[str, Any]]:
    """The headers that a record had before the bridge put its own beside them."""
    return [each for each in all_headers(message) if not each[0].startswith("bridge.")]


def _headers(one: Refused) -> list[tuple[str, str]]:
    message: Any = one.origin
    if isinstance(message, ParkedMessage):
        topic, partition, offset = message.home
    else:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
    fields = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": message.timestamp()[1],
        "reason": one.reason,
        "detail": one.detail,
        "status": one.status,
        "response": one.excerpt or None,
        "attempts": one.attempts,
        "batch": one.batch_id or None,
    }
    return [(f"bridge.{name}", str(value)) for name, value in fields.items() if value is not None]
