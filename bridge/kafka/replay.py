"""Decides about dead letters, each once: in one transaction the records go back and that is remembered."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from confluent_kafka import KafkaException

from bridge.core.errors import BridgeError
from bridge.kafka.dead_letters import own_headers
from bridge.kafka.decisions import Decisions, Status
from bridge.kafka.fenced_producer import FencedProducer, ProducerRecord
from bridge.kafka.fix_up import FixUp, Mended
from bridge.kafka.letters import Letter
from bridge.kafka.refusal import Refusal, too_large

RECORDS_PER_TRANSACTION = 1000
BYTES_PER_TRANSACTION = 16 * 1024 * 1024
TRIES = 3


@dataclass(frozen=True, slots=True)
class Chosen:
    """A letter to decide about; the record that goes back for it, if any; how it was mended, if it was."""

    letter: Letter
    record: ProducerRecord | None = None
    mended: Mended | None = None


class Returns:
    """Makes the records that go back to the stream's topic, which has so many `partitions`."""

    def __init__(self, topic: str, partitions: int, fix_up: FixUp | None) -> None:
        self._topic = topic
        self._partitions = partitions
        self._fix_up = fix_up

    def of(self, letter: Letter) -> Chosen:
        """The letter with its record, as it was or mended.

        Raises:
            Refusal: it is not whole, or cannot be mended.
        """
        if letter.cut:
            raise too_large(
                "the value was too long for the dead-letter topic, and only a part of it is there; send the "
                "record anew from its source, and discard it here"
            )
        message = letter.message
        key, value, headers = message.key(), message.value(), own_headers(message)
        mended = self._fix_up.mended(message) if self._fix_up else None
        if mended is not None:
            key, value, headers = mended.key, mended.value, mended.headers
        # Records with one key must stay in one partition, and only the producer knows how it chose that.
        there = key == message.key() and letter.origin.partition < self._partitions
        partition = letter.origin.partition if there else None
        return Chosen(letter, ProducerRecord(self._topic, key, value, partition, headers), mended)


class Decider:
    """Whoever opens it ends the one before, so that no letter is decided about by two.

    `wall` gives seconds since 1970, `clock` monotonic seconds; `sleep` takes seconds.
    """

    def __init__(
        self,
        producer: FencedProducer,
        decisions: Decisions,
        wall: Callable[[], float],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._producer = producer
        self._decisions = decisions
        self._wall = wall
        self._clock = clock
        self._sleep = sleep

    def open(self) -> None:
        """To be called before the letters are read: only then is it certain what was decided.

        Raises:
            BridgeError: Kafka does not answer, or does not allow it.
        """
        try:
            self._producer.open()
        except KafkaException as error:
            raise BridgeError(f"Kafka does not begin a transaction: {error.args[0].str()}") from None

    def decide(
        self,
        chosen: Iterable[Chosen],
        status: Status,
        reason: str = "",
        rate: int | None = None,
        on_done: Callable[[int], None] = lambda letters: None,
        on_left: Callable[[Letter, str], None] = lambda letter, detail: None,
    ) -> int:
        """Decides about these as they come, at most `rate` a second; returns about how many.

        `on_done` is told how many more were dealt with, `on_left` of each letter whose record Kafka refuses.

        Raises:
            BridgeError: Kafka does not do its part, or another command has begun to decide. What was decided
                before is in force, and the rest is as it was.
        """
        done, since = 0, self._clock()
        most = RECORDS_PER_TRANSACTION if rate is None else min(rate, RECORDS_PER_TRANSACTION)
        for together in _transactions(chosen, most):
            if rate is not None and (early := since + done / rate - self._clock()) > 0:
                self._sleep(early)
            done += self._write(together, status, reason, on_left)
            on_done(len(together))
        return done

    def _write(
        self, together: list[Chosen], status: Status, reason: str, on_left: Callable[[Letter, str], None]
    ) -> int:
        origins = [each.letter.origin for each in together]
        decision = self._decisions.record(status, origins, reason, int(self._wall() * 1000))
        try:
            error = self._tried([decision, *(each.record for each in together if each.record)])
        except BridgeError as refusal:
            if len(together) > 1:  # one of them hinders the others
                return sum(self._write([each], status, reason, on_left) for each in together)
            on_left(together[0].letter, str(refusal))
            return 0
        if self._producer.fenced:
            raise BridgeError("stopped: another command has begun to decide about these dead letters")
        if error is not None:
            raise BridgeError(f"stopped: {error}; what is done is remembered, so run it again")
        return len(together)

    def _tried(self, records: list[ProducerRecord]) -> str | None:
        """Writes them; what fails once, as the first transaction after a refused one does, is tried again."""
        error = self._producer.write(records)
        for _ in range(TRIES - 1):
            if error is None or self._producer.fenced:
                break
            error = self._producer.write(records)
        return error


def _transactions(chosen: Iterable[Chosen], most: int) -> Iterator[list[Chosen]]:
    together: list[Chosen] = []
    size = 0
    for each in chosen:
        together.append(each)
        size += len(each.record.value or b"") if each.record else 0
        if len(together) >= most or size >= BYTES_PER_TRANSACTION:
            yield together
            together, size = [], 0
    if together:
        yield together


def prepared(
    letters: Iterable[Letter],
    returns: Returns | None,
    on_decided: Callable[[Letter], None],
    on_left: Callable[[Letter, str], None],
) -> Iterator[Chosen]:
    """The letters that wait, with their records if they go back.

    `on_decided` is told of each that does not wait, `on_left` of each that cannot go back, and why.
    """
    for letter in letters:
        if letter.status is not Status.WAITING:
            on_decided(letter)
            continue
        try:
            yield returns.of(letter) if returns else Chosen(letter)
        except Refusal as refusal:
            on_left(letter, refusal.detail)
