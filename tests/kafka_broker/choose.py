"""Which broker the tests get: the first that is to be had, or the reason of each that is not."""

from pathlib import Path

from tests.kafka_broker.broker import Absent, Broker, NotAvailable, OwnBroker
from tests.kafka_broker.docker import start_docker
from tests.kafka_broker.external import connect_external
from tests.kafka_broker.local import start_local


def choose(folder: Path) -> Broker | Absent:
    """A running broker for many tests to share; `folder` is for one that needs a place for its data.

    Raises:
        BrokerFailed: one is to be had but does not run, which is a fault and no reason to skip.
    """
    try:
        return connect_external()
    except NotAvailable as error:
        chosen = choose_own(folder)
        return Absent([str(error), *chosen.reasons]) if isinstance(chosen, Absent) else chosen


def choose_own(folder: Path) -> OwnBroker | Absent:
    """A running broker for one test, which may stop and kill it.

    Raises:
        BrokerFailed: one is to be had but does not run.
    """
    reasons = []
    for start in (start_docker, lambda: start_local(folder)):
        try:
            return start()
        except NotAvailable as error:
            reasons.append(str(error))
    return Absent(reasons)
