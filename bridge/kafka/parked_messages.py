"""Records on the parking topic: made from the messages of a stream's topic, and read as those again.

A parked record has the app as its key, so that all of an app's share a partition in the order in which they
were parked. Key, place and time that it had are in headers behind its own.
"""

from collections.abc import Sequence
from typing import Any

from confluent_kafka import Message

from bridge.core.record import Decoded, Decoder, Refused
from bridge.kafka.fenced_producer import ProducerRecord
from bridge.kafka.headers import all_headers

_TOPIC, _PARTITION, _OFFSET, _TIMESTAMP, _KEY = _ADDED = tuple(
    f"bridge.{name}" for name in ("topic", "partition", "offset", "timestamp", "key")
)

Header = tuple[str, str | bytes | None]


def parked_record(topic: str, partition: int, app: str, message: Any) -> ProducerRecord:
    """The record for this message; without a time of its own, as the parking topic keeps it from now on."""
    added: list[Header] = [
        (_TOPIC, message.topic()),
        (_PARTITION, str(message.partition())),
        (_OFFSET, str(message.offset())),
        (_TIMESTAMP, " ".join(map(str, message.timestamp()))),
        (_KEY, message.key()),
    ]
    headers = [*all_headers(message), *added]
    return ProducerRecord(topic, app.encode(), message.value(), partition, headers)


class ParkedMessage:
    """A message of the parking topic, read as the one it was made from: only its place is that of today.

    `home` is topic, partition and offset where it came from.

    Raises:
        ValueError: the bridge did not put it there.
    """

    def __init__(self, message: Message) -> None:
        headers = all_headers(message)
        self._message = message
        self._headers, added = headers[: -len(_ADDED)], dict(headers[-len(_ADDED) :])
        if tuple(added) != _ADDED:
            raise ValueError("it lacks the headers of a parked record")
        self._key: bytes | None = added.pop(_KEY)
        if None in added.values():
            raise ValueError("a header of a parked record is empty")
        kind, milliseconds = added[_TIMESTAMP].split()
        self._timestamp = int(kind), int(milliseconds)
        self.home = added[_TOPIC].decode(), int(added[_PARTITION]), int(added[_OFFSET])

    def partition(self) -> int | None:
        """The partition of the parking topic."""
        return self._message.partition()

    def offset(self) -> int | None:
        """The offset there."""
        return self._message.offset()

    def value(self) -> bytes | None:
        """Its value."""
        return self._message.value()

    def key(self) -> bytes | None:
        """The key that it had."""
        return self._key

    def headers(self) -> list[Header]:
        """The headers that it had."""
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        """The kind of time that it had, and the milliseconds since 1970."""
        return self._timestamp


class ParkedDecoder:
    """Reads the parking topic by the rules of the stream's own topic."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """As `TopicDecoder.decode`."""
        parked, strange = list[ParkedMessage](), list[Refused]()
        for message in messages:
            try:
                parked.append(ParkedMessage(message))
            except ValueError:
                strange.append(Refused(message, "undecodable", "the bridge did not park this record"))
        decoded = self._decoder.decode(parked)
        decoded.refused += strange
        return decoded
