"""Accepted batches as they came, kept to be looked at, within bounds."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bridge.sandbox.call import Page


@dataclass(slots=True)
class _Kept:
    bodies: list[bytes] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # position of each body's first record
    kept: int = 0
    total: int = 0


class Content:
    """The first records accepted for each app, in order of arrival, duplicates included.

    Request bodies are kept as they came and parsed when someone looks: a record then costs its bytes on the
    wire (about 90 for a usage event) instead of five times as much, and taking a batch costs nothing.
    What comes after the bounds is counted and not kept.
    """

    def __init__(
        self, records_per_app: int, max_bytes: int, records_of: Callable[[bytes], list[Any]]
    ) -> None:
        self._records_per_app = records_per_app
        self._bytes_left = max_bytes
        self._records_of = records_of
        self._apps: dict[str, _Kept] = {}

    def add(self, app: str, body: bytes, count: int) -> None:
        """Keeps a batch of `count` records, if it fits whole and nothing before it was left out."""
        if not count:
            return
        app_kept = self._apps.setdefault(app, _Kept())
        unbroken = app_kept.kept == app_kept.total
        app_kept.total += count
        fits = app_kept.kept + count <= self._records_per_app and len(body) <= self._bytes_left
        if unbroken and fits:
            app_kept.starts.append(app_kept.kept)
            app_kept.bodies.append(body)
            app_kept.kept += count
            self._bytes_left -= len(body)

    def page(self, app: str, offset: int, limit: int) -> Page:
        """The records from position `offset`, at most `limit`."""
        app_kept = self._apps.get(app)
        if app_kept is None:
            return Page([], 0, 0)
        items: list[Any] = []
        first = max(bisect_right(app_kept.starts, offset) - 1, 0)
        for start, body in zip(app_kept.starts[first:], app_kept.bodies[first:], strict=True):
            if start >= offset + limit:
                break
            items += self._records_of(body)[max(offset - start, 0) : offset + limit - start]
        return Page(items, app_kept.total, app_kept.kept)
