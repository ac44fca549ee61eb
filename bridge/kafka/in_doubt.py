"""The records in doubt of one stream: which there are, and what somebody decided about them.

They stand on the in-doubt topic for as long as that keeps them. A decision is a record in the journal topic,
for ever; one to resend is written in the same transaction as the records that go back to the stream's topic.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, Message

from bridge.core.errors import BridgeError
from bridge.kafka.dead_letters import own_headers
from bridge.kafka.fenced_producer import FencedProducer, ProducerRecord
from bridge.kafka.journal_entries import JournalFormat, Place, Resolution, headers_of, place_of
from bridge.kafka.topic_reader import TopicReader

RECORDS_PER_TRANSACTION = 1000
RESENT, DISCARDED = "resent", "discarded"


@dataclass(frozen=True, slots=True)
class Doubtful:
    """One record in doubt.

    `place` is where it was on the stream's topic, `batch` the request it went out with, `since` when it was
    put aside in milliseconds since 1970, `why` a sentence. `message` is what was put aside, None if not kept.
    """

    place: Place
    batch: str
    since: int
    why: str
    message: Message | None

    @property
    def cut(self) -> bool:
        """Whether its value was too long for the topic, so that only a part of it is there."""
        return self.message is not None and "value-bytes" in headers_of(self.message)


class InDoubt:
    """The records in doubt of a stream. `keep` keeps their content too, for those who need it."""

    def __init__(
        self, settings: Mapping[str, Any], topic: str, journal: str, form: JournalFormat, keep: bool
    ) -> None:
        self._form = form
        self._keep = keep
        self._kept = TopicReader(settings, topic, past_open=True)
        self._journal = TopicReader(settings, journal, past_open=True)
        self._waiting: dict[Place, Doubtful] = {}
        self._resolved: set[Place] = set()

    def read(self) -> list[Doubtful]:
        """Those that nobody has decided about, the oldest first; a later call reads only what is new.

        Raises:
            BridgeError: Kafka does not answer, or a topic does not exist.
        """
        for message in self._kept.news():
            self._note(message)
        for message in self._journal.news():
            if (place := self._form.resolved(message.key())) is not None:
                self._resolved.add(place)
        self._waiting = {p: one for p, one in self._waiting.items() if p not in self._resolved}
        return sorted(self._waiting.values(), key=lambda one: one.since)

    def close(self) -> None:
        """Ends the clients."""
        self._kept.close()
        self._journal.close()

    def _note(self, message: Message) -> None:
        told = headers_of(message)
        place = place_of(told)
        if place is None or told.get("topic") != self._form.topic:
            return  # of another stream, or of somebody else
        # A crash can leave a record here twice; it is one record, in doubt since the first time.
        if place not in self._waiting:
            kept = message if self._keep else None
            since = message.timestamp()[1]
            self._waiting[place] = Doubtful(place, told.get("batch", ""), since, told.get("detail", ""), kept)


class Resolver:
    """Decides about records in doubt, each once: a later decision about the same record changes nothing."""

    def __init__(self, settings: Mapping[str, Any], journal: str, form: JournalFormat) -> None:
        self._journal = journal
        self._form = form
        self._producer = FencedProducer(settings, f"{form.group}.in-doubt.{form.topic}")

    def resolve(
        self,
        in_doubt: InDoubt,
        batches: Collection[str] | None,
        action: str,
        reason: str,
        now: Callable[[], float],
    ) -> int:
        """Resends or discards the records of these batches (None: of all); returns how many there were.

        `now` gives seconds since 1970.

        Raises:
            BridgeError: Kafka does not do its part, another decision was begun meanwhile, or a record to
                resend is not whole. What was decided before is in force, and the rest is as it was.
        """
        try:
            # Ends a decision that is under way elsewhere; only then is it certain what was decided.
            self._producer.open()
            chosen = [one for one in in_doubt.read() if batches is None or one.batch in batches]
            if action == RESENT and any(one.cut for one in chosen):
                raise BridgeError(
                    "a record was too long for the in-doubt topic and is not whole there; send it anew from "
                    "its source, and discard it here"
                )
            for start in range(0, len(chosen), RECORDS_PER_TRANSACTION):
                self._write(
                    chosen[start : start + RECORDS_PER_TRANSACTION], action, reason, int(now() * 1000)
                )
            return len(chosen)
        except KafkaException as error:
            raise BridgeError(f"not decided: {error.args[0].str()}; look again, and try again") from None

    def _write(self, chosen: Sequence[Doubtful], action: str, reason: str, at: int) -> None:
        records = []
        for one in chosen:
            value = self._form.resolution_value(Resolution(one.place, action, reason, at))
            records.append(ProducerRecord(self._journal, self._form.resolution_key(one.place), value))
            if action == RESENT and one.message is not None:
                records.append(self._again(one.place.partition, one.message))
        if error := self._producer.write(records):
            raise BridgeError(f"not decided: {error}; look again, and try again")

    def _again(self, partition: int, message: Any) -> ProducerRecord:
        return ProducerRecord(
            self._form.topic, message.key(), message.value(), partition, own_headers(message)
        )
