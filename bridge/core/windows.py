"""Stretches of time to ask the API for, in milliseconds since 1970."""

from collections.abc import Iterator
from datetime import UTC, datetime

SECOND = 1000
"""In milliseconds. Windows begin and end on whole seconds, which any API can read."""


def windows(begin: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    """From `begin` to `end` in half-open windows, each as long as it may be."""
    return ((at, min(at + longest, end)) for at in range(begin, end, longest))


def instant(ms: int) -> str:
    """A time as in the API's description, without a fraction of its second."""
    return datetime.fromtimestamp(ms // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
