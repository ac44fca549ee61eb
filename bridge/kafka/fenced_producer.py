"""Writes records in transactions, as the only one who may: Kafka refuses whoever did so before."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message

from bridge.core.errors import BridgeError
from bridge.kafka.rotation import FollowingProducer

log = structlog.get_logger(__name__)

CALL_SECONDS = 30.0
# A commit without an answer is asked about again so often, with a look at whether the client is lost.
COMMIT_SECONDS = 5.0
# A record that is not acknowledged for so long is given up, and its transaction begun anew: now and then one
# is stuck for as long as the client allows, though the broker has been back for long.
RECORD_SECONDS = 20.0
FULL_SECONDS = 1.0
FIXED: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 0,  # somebody waits for each transaction
    # Longer than a consumer's session (45 s by default): who is paused for so long that the broker ends its
    # transaction has lost its partitions as well. Whoever takes one over ends the transaction at once.
    "transaction.timeout.ms": 60_000,
    "message.max.bytes": 16 * 1024 * 1024,  # the topic says what is too large for it
}
# Tried again, the same record would be refused again; all other failures may go away.
_FOR_GOOD = {
    KafkaError.MSG_SIZE_TOO_LARGE: (
        "its max.message.bytes must be above the size of a record, and above batch.size in kafka.settings"
    ),
    KafkaError.INVALID_RECORD: "a compacted topic needs a key in every record",
    KafkaError.INVALID_TIMESTAMP: "its message.timestamp settings allow no record of that age",
}


@dataclass(frozen=True, slots=True)
class ProducerRecord:
    """One record to write. `timestamp` is in milliseconds since 1970, 0 for now; no partition: by the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[tuple[str, str | bytes | None]] = ()
    timestamp: int = 0

    @property
    def size(self) -> int:
        """Its bytes on the topic, without headers."""
        return len(self.key or b"") + len(self.value or b"")


class FencedProducer:
    """A transactional producer that owns one transactional id: whoever opens it ends the writer before.

    All methods wait for Kafka; to be called from one thread at a time.
    """

    def __init__(self, settings: Mapping[str, Any], transactional_id: str) -> None:
        self.fenced = False
        """Whether another has opened the id, or Kafka allows no more for good. Nothing is written then."""
        own = {"transactional.id": transactional_id, "message.timeout.ms": int(RECORD_SECONDS * 1000)}
        self._producer = FollowingProducer(settings, {**FIXED, **own})

    def open(self) -> None:
        """To be called once, before all else: from here on an earlier owner of the id is refused.

        Its transaction, if one is open, is aborted.

        Raises:
            KafkaException: the cluster does not answer, or does not allow it.
        """
        self._producer.init_transactions(CALL_SECONDS)

    def write(
        self,
        records: Collection[ProducerRecord],
        beside: Callable[[Sequence[int]], Collection[ProducerRecord]] | None = None,
    ) -> str | None:
        """Writes all of these or none; returns why it must be tried again, None once they are there.

        With `fenced` trying again is in vain. `beside` makes more records, to be written in the same
        transaction, of the offsets of the first.

        Raises:
            BridgeError: Kafka refuses one of the records for good. None of them is written.
            ClientLost: the client will never reach Kafka again.
        """
        refusals: list[tuple[ProducerRecord, KafkaError]] = []
        offsets: list[int] = []
        try:
            self._producer.begin_transaction()
            for record in records:
                self._produce(record, refusals, offsets)
            if beside is not None:
                self._producer.flush(CALL_SECONDS)
                if len(offsets) < len(records):
                    raise KafkaException(refusals[0][1] if refusals else KafkaError(KafkaError._TIMED_OUT))
                for record in beside(offsets):
                    self._produce(record, refusals, offsets)
            self._commit()
        except KafkaException as error:
            self._abort(error.args[0])
            self._producer.answers()
            # A batch is refused as a whole, and its longest record is the likeliest to be at fault.
            for record, refusal in sorted(refusals, key=lambda each: -each[0].size):
                if advice := _FOR_GOOD.get(refusal.code()):
                    raise BridgeError(
                        f"topic {record.topic} takes no such record, of {record.size} bytes: "
                        f"{refusal.str()}; {advice}"
                    ) from None
            return str(error.args[0].str())
        return None

    def _produce(
        self, record: ProducerRecord, refusals: list[tuple[ProducerRecord, KafkaError]], offsets: list[int]
    ) -> None:
        def delivered(error: KafkaError | None, message: Message | None) -> None:
            if error is not None:
                refusals.append((record, error))
            elif message is not None:
                offsets.append(message.offset() or 0)

        partition = -1 if record.partition is None else record.partition
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    partition,
                    on_delivery=delivered,
                    timestamp=record.timestamp,
                    headers=list(record.headers),
                )
            except BufferError:  # the producer's queue is full: let it send
                self._producer.poll(FULL_SECONDS)
                continue
            except KafkaException as error:
                delivered(error.args[0], None)
                raise
            return

    def _commit(self) -> None:
        while True:
            try:
                self._producer.commit_transaction(COMMIT_SECONDS)
            except KafkaException as error:
                if error.args[0].retriable():
                    # Nobody knows yet whether it was committed; asking again tells.
                    log.warning("commit_unanswered", error=error.args[0].str())
                    self._producer.answers()
                    continue
                raise
            return

    def _abort(self, cause: KafkaError) -> None:
        self.fenced = self.fenced or cause.fatal()
        if not self.fenced:
            try:
                self._producer.abort_transaction(CALL_SECONDS)
            except KafkaException as error:
                self.fenced = error.args[0].fatal()
