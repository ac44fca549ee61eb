"""What a broker says against our credentials or certificate, or the client against the broker's."""

import re
import time
from collections.abc import Callable

from confluent_kafka import KafkaError

from bridge.core.redact import excerpt

RECENT_SECONDS = 15.0
"""Refused connections are tried again every 10 s at least (`reconnect.backoff.max.ms`), so that a refusal
which is older than that is over."""

_CODES = (KafkaError._AUTHENTICATION, KafkaError._SSL)
_DURATION = re.compile(r" \(after \d+ms in state \w+\)")


class Refusals:
    """To be a client's `error_cb`; hears of a refusal when the client is polled. `clock` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said = ""
        self._at = float("-inf")

    def __call__(self, error: KafkaError) -> None:
        """Notes the error if it is a refusal."""
        # By TLS 1.3 a broker refuses a certificate only when the client believes to be connected.
        if error.code() in _CODES or "SSL alert" in error.str():
            self._said, self._at = excerpt(_DURATION.sub("", error.str())), self._clock()

    @property
    def recent(self) -> str | None:
        """What was said, if that is still so."""
        return self._said if self._clock() - self._at < RECENT_SECONDS else None
