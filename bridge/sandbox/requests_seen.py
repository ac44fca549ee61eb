"""What the sandbox saw of its clients: requests by answer, idempotency keys, requests at the same time."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

RECENT_KEYS = 20
"""Keys shown in the state, newest last."""


class RequestsSeen:
    """Counts requests by operation and by what became of them (a status, or how the connection ended).

    The newest `max_keys` values of `Idempotency-Key` are remembered, so a repeat is noticed, and noticed
    apart if the body differs from the first one's.
    """

    def __init__(self, max_keys: int) -> None:
        self._max_keys = max_keys
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Starts counting again; requests under way stay under way."""
        self._outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._keys: dict[tuple[str, str], int] = {}
        self._key_counts: Counter[str] = Counter()
        self._most_in_flight = self._in_flight

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """A request lasts as long as this context."""
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1

    def count(self, operation: str, outcome: str) -> None:
        """Notes what became of a request."""
        self._outcomes[operation][outcome] += 1

    def key(self, operation: str, key: str, body: bytes) -> None:
        """Notes the idempotency key that came with a body."""
        content = hash(body)
        first = self._keys.setdefault((operation, key), content)
        self._key_counts["seen"] += 1
        self._key_counts["repeated_with_other_body"] += first != content
        if len(self._keys) > self._max_keys:
            del self._keys[next(iter(self._keys))]
            self._key_counts["forgotten"] += 1

    def state(self) -> dict[str, Any]:
        """The counts, for the state document."""
        seen, forgotten = self._key_counts["seen"], self._key_counts["forgotten"]
        distinct = len(self._keys) + forgotten
        return {
            "requests": {operation: dict(outcomes) for operation, outcomes in sorted(self._outcomes.items())},
            "in_flight": self._in_flight,
            "most_in_flight": self._most_in_flight,
            "idempotency_keys": {
                "seen": seen,
                "distinct": distinct,
                "repeated": seen - distinct,
                "repeated_with_other_body": self._key_counts["repeated_with_other_body"],
                "exact": not forgotten,
                "recent": [key for _, key in list(self._keys)[-RECENT_KEYS:]],
            },
        }
