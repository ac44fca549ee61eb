"""Kafka clients that live long: they take up credentials that rotate, and find out when they are lost."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, Protocol
from weakref import WeakSet

from confluent_kafka import Consumer, KafkaException, Producer

from bridge.kafka.lifeline import ASK_SECONDS, ASKED, Lifeline
from bridge.telemetry.logs import librdkafka_logger

_NAME, _PASSWORD = "sasl.username", "sasl.password"


class _Client(Protocol):
    def set_sasl_credentials(self, username: str, password: str) -> None: ...


class RotatingSettings(Mapping[str, Any]):
    """librdkafka settings as they stand since the last `refresh`, and the clients that were made from them.

    `read` gives the settings anew. May be used from several threads.
    """

    def __init__(self, read: Callable[[], Mapping[str, Any]]) -> None:
        self._read = read
        self._now = dict(read())
        self._clients: WeakSet[Any] = WeakSet()
        self._lock = Lock()

    def __getitem__(self, name: str) -> Any:
        return self._now[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def follow(self, client: _Client) -> None:
        """Hands a client that was made from these settings each name and password to come."""
        with self._lock:
            self._clients.add(client)
        self._tell(client)  # of what has changed since it was made

    def refresh(self) -> set[str]:
        """Reads the settings again; returns the names of those that have changed.

        A new name or password counts for the next connection of each client that follows. All other settings
        count for new clients only, as librdkafka has no way to change them. Waits until each consumer has
        ended what it does: a poll, and with it a rebalance.

        Raises:
            ConfigError: they cannot be read; nothing changes.
        """
        before, self._now = self._now, dict(self._read())
        changed = {name for name in before.keys() | self.keys() if before.get(name) != self.get(name)}
        if changed & LIVE:
            with self._lock:
                clients = list(self._clients)
            # Without the lock, and consumers last: a rebalance may wait for producers, also for new ones.
            for client in sorted(clients, key=lambda each: isinstance(each, Consumer)):
                self._tell(client)
        return changed

    def _tell(self, client: _Client) -> None:
        name, password = self.get(_NAME), self.get(_PASSWORD)
        if name is not None and password is not None:
            with suppress(RuntimeError):  # it is closed
                client.set_sasl_credentials(name, password)


LIVE = frozenset({_NAME, _PASSWORD})
"""The settings that clients can take up while they live."""


class _Long:
    """What clients have in common that live long."""

    _lifeline: Lifeline

    def _live(self: Any, settings: Mapping[str, Any]) -> None:
        self._lifeline = Lifeline(settings)
        if isinstance(settings, RotatingSettings):
            settings.follow(self)

    def answers(self: Any) -> bool:
        """Whether a broker answers; waits for it for a moment.

        Raises:
            ClientLost: none ever will.
        """
        try:
            self.list_topics(ASKED, timeout=ASK_SECONDS)
        except KafkaException:
            self._lifeline.unanswered()
            return False
        self._lifeline.answered()
        return True


class FollowingConsumer(_Long, Consumer):
    """A consumer for `settings`, in which `fixed` wins; it follows them if they rotate."""

    def __init__(self, settings: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
        super().__init__({**settings, **fixed}, logger=librdkafka_logger())
        self._live(settings)


class FollowingProducer(_Long, Producer):
    """As FollowingConsumer, for producers."""

    def __init__(self, settings: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
        super().__init__({**settings, **fixed}, logger=librdkafka_logger())
        self._live(settings)
