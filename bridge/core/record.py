"""What the engine holds of a record: where it came from, and what will be sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Doc = dict[str, Any]
"""One validated record as the stream declares it, its app taken out."""


class Deletion(Doc):
    """The word that a record is gone: a document of its identity alone, to be sent to the API's deletion."""


class Origin(Protocol):
    """The Kafka message a record came from, kept to find its offset and to dead-letter it unchanged.

    `confluent_kafka.Message` fits as it is, so no object is made per record.
    """

    def partition(self) -> int | None:
        """The partition it was read from."""

    def offset(self) -> int | None:
        """Its offset there."""

    def value(self) -> bytes | None:
        """Its value, as it was on the topic."""

    def timestamp(self) -> tuple[int, int]:
        """Kind of time (0: none) and milliseconds since 1970."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that cannot be sent: why, in words for the team that produced it, with no value of it inside.

    `reason` is a short stable code (`undecodable`, `invalid`, `unknown_app`, `too_large`, `rejected`), used
    as a metric label; `detail` is the sentence, `field` the declared field that is wrong, if it is one. The
    rest is known only where the API was asked: the HTTP status, the start of its answer (redacted), how often
    the record was sent, the last batch it was in.
    """

    origin: Origin
    reason: str
    detail: str
    status: int | None = None
    excerpt: str = ""
    attempts: int = 0
    batch_id: str = ""
    field: str = ""


@dataclass(slots=True)
class Decoded:
    """What one poll became, as columns of equal length, in the order received, and the records refused.

    `sizes` are the bytes of each record's value on the topic.
    """

    origins: list[Origin] = field(default_factory=list)
    apps: list[str] = field(default_factory=list)
    docs: list[Doc] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def add(self, origin: Origin, app: str, doc: Doc, size: int) -> None:
        """Adds one record to each column."""
        self.origins.append(origin)
        self.apps.append(app)
        self.docs.append(doc)
        self.sizes.append(size)

    def extend(self, other: "Decoded") -> None:
        """Adds all of another, behind what is here."""
        self.origins += other.origins
        self.apps += other.apps
        self.docs += other.docs
        self.sizes += other.sizes
        self.refused += other.refused


class Decoder(Protocol):
    """Turns Kafka messages into validated documents."""

    def decode(self, messages: Sequence[Any]) -> Decoded:
        """Decodes and validates; never raises for bad records, which come back as `refused`."""
        ...
