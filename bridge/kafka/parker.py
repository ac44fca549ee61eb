"""Parks the records of one partition of a stream's topic, as the only one who may."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Message

from bridge.core.errors import BridgeError
from bridge.core.journal import Entry
from bridge.kafka.fenced_producer import FencedProducer, ProducerRecord
from bridge.kafka.journal_entries import JournalFormat, Place
from bridge.kafka.parked_messages import parked_record


@dataclass(frozen=True, slots=True)
class ParkingPlaces:
    """Where parked records go, and where the memory of them is kept, in how many partitions."""

    topic: str
    journal: str
    journal_partitions: int
    form: JournalFormat


class Parker:
    """From here on an earlier parker of the same partition is refused. Methods wait for Kafka.

    `parked` says where on the parking topic the last record of each parked app stands.

    Raises:
        KafkaException: the cluster does not answer, or does not allow it.
    """

    def __init__(self, settings: Mapping[str, Any], places: ParkingPlaces, partition: int) -> None:
        self.parked: dict[str, Place] = {}
        self._places = places
        self._form = places.form
        self._partition = partition
        self._turn = threading.Lock()
        self._producer = FencedProducer(
            settings, f"{self._form.group}.parking.{self._form.topic}.{partition}"
        )
        self._producer.open()

    @property
    def fenced(self) -> bool:
        """Whether the partition belongs to another process now; nothing is written then."""
        return self._producer.fenced

    def park(self, app: str, messages: Sequence[Message], entry: Entry | None, to: int) -> str | None:
        """Writes these, and returns why that must be tried again; None once it is done, or `fenced`.

        They go to the partition `to`, unless others of the app stand elsewhere: order is within a partition.
        """
        with self._turn:
            if (known := self.parked.get(app)) is not None:
                to = known.partition
            records = [parked_record(self._places.topic, to, app, message) for message in messages]
            last = Place(to, 0)

            def beside(offsets: Sequence[int]) -> list[ProducerRecord]:
                nonlocal last
                last = Place(to, max(offsets))
                memory = [self._memory(app, last)]
                if entry is not None:
                    key = self._form.entry_key(self._partition, entry.batch)
                    memory.append(self._to_journal(key, self._form.entry_value(entry)))
                return memory

            error = self._write(records, beside)
            if error is None:
                self.parked[app] = last
            return error

    def forget(self, app: str, delivered: Place) -> str | None:
        """Notes that nothing of an app is parked, unless more was parked since; returns as `park` does."""
        with self._turn:
            if self.parked.get(app) != delivered:
                return None
            error = self._write([self._memory(app, None)])
            if error is None:
                del self.parked[app]
            return error

    def _write(
        self,
        records: Sequence[ProducerRecord],
        beside: Callable[[Sequence[int]], Collection[ProducerRecord]] | None = None,
    ) -> str | None:
        if self.fenced:
            return None
        try:
            error = self._producer.write(records, beside)
        except BridgeError as refused:  # it waits in memory then, as if it could not be parked
            return str(refused)
        return None if self.fenced else error

    def _memory(self, app: str, last: Place | None) -> ProducerRecord:
        value = None if last is None else self._form.parked_value(app, last)
        return self._to_journal(self._form.parked_key(self._partition, app), value)

    def _to_journal(self, key: bytes, value: bytes | None) -> ProducerRecord:
        to = self._partition % self._places.journal_partitions
        return ProducerRecord(self._places.journal, key, value, to)
