"""What streams, the API's client and Kafka's show of themselves when a scraper asks."""

from collections.abc import Mapping
from typing import Protocol

from bridge.core.engine import Engine


class StreamView(Protocol):
    """What a sink shows."""

    engine: Engine
    behind_since: float | None
    in_doubt: list[float] | None

    @property
    def lags(self) -> Mapping[int, int] | None:
        """Offsets between what is settled and the end of the topic, by partition; None until it is known."""


class SourceView(Protocol):
    """What a source shows."""

    @property
    def emitted(self) -> Mapping[str, int]:
        """Records committed by this process, by output."""

    @property
    def owned(self) -> bool:
        """Whether this process is the one that polls."""

    @property
    def position(self) -> float | None:
        """Up to which time everything was read, in seconds since 1970."""

    @property
    def entries(self) -> int | None:
        """How many entries the cursor has."""


class RateView(Protocol):
    """What a rate limit shows: the limit itself, the turns taken, and the seconds waited for them."""

    per_second: float | None
    turns: int
    waited: float


class ApiView(Protocol):
    """What the client of the Productiv API shows."""

    @property
    def token_age(self) -> float | None:
        """Seconds since the oldest of the tokens in use was asked for."""

    @property
    def token_expires_in(self) -> float | None:
        """Seconds until the first of the tokens in use ends."""

    @property
    def rates(self) -> Mapping[str, RateView]:
        """The rate limits."""
        ...


class KafkaView(Protocol):
    """What a stream's consumer shows; None before it has told anything."""

    round_trip: float | None
    connections: int | None
    failing: int | None
    fetched: int | None
    disconnects: int | None
