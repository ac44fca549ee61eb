"""How far each source has got: a compacted topic, written with the source's records by its one owner.

An entry of a cursor is one message: key `<source>/<entry>`, value a JSON object, on the partition that the
source's name leads to.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import orjson
from confluent_kafka import KafkaException

from bridge.core.errors import BridgeError
from bridge.core.polling import Json
from bridge.core.ports import Fenced
from bridge.kafka.fenced_producer import FencedProducer, ProducerRecord
from bridge.kafka.topic_reader import TopicReader


class CursorUnusable(BridgeError):
    """The cursor of a source is there, and cannot be what the source wrote; waiting will not mend it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the topic holds of one source: the values of its entries, by partition and name."""

    source: str
    values: dict[tuple[int, str], bytes]

    @property
    def partitions(self) -> set[int]:
        """Where its entries stand; one, unless somebody changed the number of partitions."""
        return {partition for partition, _ in self.values}

    def cursor(self) -> dict[str, Json]:
        """The entries by name.

        Raises:
            CursorUnusable: one is no JSON object.
        """
        return {name: _entry(self.source, name, value) for (_, name), value in self.values.items()}


def partition_of(source: str, partitions: int) -> int:
    """The partition, of so many, that a source's cursor is on; who is assigned it polls the source."""
    return crc32(source.encode()) % partitions


class CursorTopic:
    """The topic. All methods wait for Kafka; those about one source are for one thread at a time.

    `group` begins the transactional ids.
    """

    def __init__(self, settings: Mapping[str, Any], topic: str, group: str) -> None:
        self._settings = settings
        self._topic = topic
        self._group = group
        self._owned: dict[str, tuple[FencedProducer, int]] = {}

    def partitions(self) -> int:
        """How many partitions the topic has.

        Raises:
            BridgeError: there is no such topic, or Kafka does not answer.
        """
        with self._reader() as reader:
            return len(reader.partitions())

    def read(self) -> dict[str, Kept]:
        """What is committed of all sources, whoever owns them.

        Raises:
            BridgeError: there is no such topic, or Kafka does not answer.
        """
        kept: dict[str, Kept] = {}
        with self._reader() as reader:
            for message in reader.news():
                source, _, name = (message.key() or b"").decode(errors="replace").partition("/")
                values = kept.setdefault(source, Kept(source, {})).values
                place = message.partition() or 0, name
                if (value := message.value()) is None:
                    values.pop(place, None)
                else:
                    values[place] = value
        return {source: each for source, each in kept.items() if each.values}

    def take_over(self, source: str) -> dict[str, Json]:
        """Ends an earlier owner of the source, and its transaction; then reads what it left.

        Raises:
            CursorUnusable: it is not where it should be, or not readable.
            BridgeError: Kafka does not do its part; nothing was taken over, or it must be once more.
        """
        place = partition_of(source, self.partitions())
        producer = FencedProducer(self._settings, f"{self._group}.{source}")
        try:
            producer.open()
        except KafkaException as error:
            raise BridgeError(f"cannot take over {source}: {error.args[0].str()}") from None
        # All partitions are read, not just its own: a cursor on another one must not pass for none.
        kept = self.read().get(source, Kept(source, {}))
        if elsewhere := sorted(kept.partitions - {place}):
            raise CursorUnusable(
                f"the cursor of {source} is on partition {elsewhere[0]} of topic {self._topic} and belongs "
                f"on partition {place}: the number of partitions was changed; name another topic in "
                f"kafka.cursors_topic, and tell each source where to go on (`cursors list`, `cursors set`)"
            )
        cursor = kept.cursor()
        self._owned[source] = producer, place
        return cursor

    def write(
        self, source: str, records: Sequence[ProducerRecord], remember: Mapping[str, Json | None]
    ) -> str | None:
        """Writes records, and what to remember with them (None forgets an entry), as a whole or not at all.

        Returns why it must be tried again, None if it is done. The source must have been taken over.

        Raises:
            Fenced: another process has taken the source over since; nothing was written.
            BridgeError: Kafka refuses a record for good; nothing was written.
        """
        producer, place = self._owned[source]
        entries = [
            ProducerRecord(
                self._topic,
                f"{source}/{name}".encode(),
                None if entry is None else orjson.dumps(entry),
                place,
            )
            for name, entry in remember.items()
        ]
        error = producer.write([*records, *entries])
        if error is not None and producer.fenced:
            raise Fenced
        return error

    @contextmanager
    def _reader(self) -> Iterator[TopicReader]:
        # An owner that died may have left a transaction open, with the last word of another source behind it.
        reader = TopicReader(self._settings, self._topic, past_open=True)
        try:
            if not reader.exists():
                raise BridgeError(
                    f"topic {self._topic} does not exist; create it with cleanup.policy=compact, or set "
                    "kafka.create_topics"
                )
            yield reader
        finally:
            reader.close()


def _entry(source: str, name: str, value: bytes) -> Json:
    try:
        entry = orjson.loads(value)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        raise CursorUnusable(
            f"the entry {source}/{name} among the cursors is no JSON object, so something else wrote it; "
            "write a message with this key and no value, and the source goes on without it"
        )
    return entry
