"""Tells a Kafka client that is lost for good from one that only waits for Kafka.

librdkafka forgets every broker if the last one of a cluster, as it is shut down, still answers "there are no
brokers" while the connection to it breaks (2.11 to 2.16). Such a client never connects again, whatever is
asked of it, and nothing but a new one helps.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

log = structlog.get_logger(__name__)

ASK_SECONDS = 1.0
LOST_SECONDS = 20.0
BETWEEN_SECONDS = 5.0
ASKED = "__consumer_offsets"
"""The topic to ask about: each cluster has it, and about all topics the answer may be long."""
_BACKOFF = "reconnect.backoff.max.ms"  # a client that is well may wait so long before it tries to connect

_silent = logging.getLogger("bridge.kafka.lifeline.silent")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class ClientLost(Exception):
    """A Kafka client will never have an answer again, though a new one has: the process must start anew."""

    def __init__(self) -> None:
        super().__init__("a Kafka client has lost the brokers for good, though they answer a new one")


def _new_client_answered(settings: Mapping[str, Any]) -> bool:
    try:
        AdminClient({**settings}, logger=_silent).list_topics(ASKED, timeout=ASK_SECONDS)
    except KafkaException:
        return False
    return True


class Lifeline:
    """What one client knows of its answers. To be told from the thread that calls the client."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        clock: Callable[[], float] = time.monotonic,
        new_client_answered: Callable[[Mapping[str, Any]], bool] = _new_client_answered,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._new_client_answered = new_client_answered
        self._patience = max(LOST_SECONDS, 2 * float(settings.get(_BACKOFF, 0)) / 1000)
        self._next = clock()
        self._alone_since: float | None = None

    def answered(self) -> None:
        """To be called when the client had an answer."""
        self._alone_since = None

    def unanswered(self) -> None:
        """To be called when the client had no answer; may take `ASK_SECONDS`.

        Raises:
            ClientLost: new clients have had answers for so long that this one will never have any.
        """
        if self._clock() < self._next:
            return
        if not self._new_client_answered(self._settings):
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = self._clock()
        elif self._clock() - self._alone_since > self._patience:
            log.error("kafka_client_lost", seconds=self._patience)
            raise ClientLost
        self._next = self._clock() + BETWEEN_SECONDS
