"""What the engine needs from the outside, as protocols that real clients and tests fill in."""

from collections.abc import Sequence
from typing import Protocol

from bridge.core.outcome import Outcome
from bridge.core.record import Doc
from bridge.core.stream import Operation


class Api(Protocol):
    """Where batches go."""

    async def publish(self, operation: Operation, app: str, docs: Sequence[Doc], key: str) -> Outcome:
        """Sends one batch of at most the operation's limit and says what it came to; never raises for it.

        `key` is the same whenever the same batch is sent again and goes out as `Idempotency-Key`.
        """
        ...
