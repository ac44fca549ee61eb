"""What every broker can do, and why there may be none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class NotAvailable(Exception):
    """This kind of broker is not to be had on this machine; the message says why and what would help."""


class BrokerFailed(Exception):
    """A broker that should run does not; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class Absent:
    """No broker, and the reason of each kind that was tried."""

    reasons: Sequence[str]

    def __str__(self) -> str:
        return "no Apache Kafka: " + "; ".join(self.reasons)


class Broker(Protocol):
    """A running broker."""

    @property
    def kind(self) -> str: ...

    @property
    def bootstrap(self) -> str: ...

    def log_tail(self) -> str:
        """The end of its log, to be shown beside a failed test."""
        ...

    def close(self) -> None:
        """Ends it for good; its data is gone."""
        ...


class OwnBroker(Broker, Protocol):
    """A running broker that a test may treat badly. It keeps its data and its address throughout."""

    def stop(self) -> None:
        """Shuts down in an orderly way."""
        ...

    def kill(self) -> None:
        """SIGKILL: no goodbye to clients, no flush."""
        ...

    def start(self) -> None:
        """Starts it again after `stop` or `kill`, and returns when it serves."""
        ...

    def restart(self) -> None:
        """`stop`, then `start`."""
        ...

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        ...

    def resume(self) -> None:
        """SIGCONT, after `pause`."""
        ...
