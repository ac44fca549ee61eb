"""What traces are told of, and the form of them that tells nobody and costs nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from bridge.core.batcher import Batch
from bridge.core.outcome import Outcome
from bridge.core.stream import Operation

Told = Callable[[str], None]
"""To be told in a word what a batch or a round came to."""


class Tracing(Protocol):
    """What is told of a run, while it happens."""

    def batch(self, stream: str, batch: Batch) -> AbstractContextManager[Told]:
        """A batch is being sent for as long as the block lasts."""
        ...

    def round(self, stream: str) -> AbstractContextManager[Told]:
        """A source looks at the API for as long as the block lasts."""
        ...

    def request(self, operation: Operation, outcome: Outcome, seconds: float) -> None:
        """A request to the API is over; it belongs to the block that it was made in."""

    def headers(self) -> list[tuple[str, bytes]]:
        """What goes into the headers of records written within a block, by W3C Trace Context."""
        ...


class _Off:
    """Tells nobody."""

    _NOTHING: AbstractContextManager[Told] = nullcontext(lambda _: None)

    def batch(self, stream: str, batch: Batch) -> AbstractContextManager[Told]:
        return self._NOTHING

    def round(self, stream: str) -> AbstractContextManager[Told]:
        return self._NOTHING

    def request(self, operation: Operation, outcome: Outcome, seconds: float) -> None:
        pass

    def headers(self) -> list[tuple[str, bytes]]:
        return []


OFF: Tracing = _Off()
"""Tracing that is turned off."""
