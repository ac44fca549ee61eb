"""A broker somebody else runs, at the address in KAFKA_BOOTSTRAP_SERVERS."""

import os
from dataclasses import dataclass

from tests.kafka_broker.broker import BrokerFailed, NotAvailable
from tests.kafka_broker.ready import serves

SECONDS = 10.0  # for it to answer


@dataclass(frozen=True, slots=True)
class ExternalBroker:
    """A broker that tests may use but not stop."""

    bootstrap: str
    kind: str = "external"

    def log_tail(self) -> str:
        """Its log is out of reach."""
        return ""

    def close(self) -> None:
        """Leaves it running."""


def connect_external() -> ExternalBroker:
    """The broker at the given address.

    Raises:
        NotAvailable: no address is given.
        BrokerFailed: nothing answers there. Using another broker in its place would hide that.
    """
    bootstrap = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if not bootstrap:
        raise NotAvailable("KAFKA_BOOTSTRAP_SERVERS is not set")
    if not serves(bootstrap, SECONDS):
        raise BrokerFailed("no broker answers at the address in KAFKA_BOOTSTRAP_SERVERS")
    return ExternalBroker(bootstrap)
