"""What a demonstration shows while it runs: one line a stream, drawn anew several times a second."""

import time
from collections import deque
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from bridge.demo.producer import SampleProducer
from bridge.sink import Sink
from bridge.source import Source

RATE_SECONDS = 2.0


class Rate:
    """Records a second over the last two seconds."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def at(self, total: int) -> float:
        """Notes the total now, and gives the rate."""
        now = time.monotonic()
        self._marks.append((now, total))
        while self._marks[0][0] < now - RATE_SECONDS:
            self._marks.popleft()
        since, before = self._marks[0]
        return (total - before) / (now - since) if now > since else 0.0


class LiveTable:
    """The tables of all sinks and of all sources."""

    def __init__(
        self,
        sinks: Mapping[str, Sink],
        producers: Mapping[str, SampleProducer],
        sources: Mapping[str, Source],
    ) -> None:
        self._sinks = sinks
        self._producers = producers
        self._sources = sources
        self._rates = {stream: Rate() for stream in sinks}

    def __rich__(self) -> Group:
        """The state of this moment."""
        return Group(self._of_sinks(), self._of_sources())

    def _of_sources(self) -> Table:
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("source")
        table.add_column("records written", justify="right")
        table.add_column("read up to")
        for stream, source in self._sources.items():
            written = ", ".join(f"{n:,}" for n in source.emitted.values())
            until = (
                "" if source.position is None else time.strftime("%H:%M:%S", time.localtime(source.position))
            )
            table.add_row(stream, written, until)
        return table

    def _of_sinks(self) -> Table:
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("stream")
        for column in ("in", "delivered", "batches", "per second", "lag", "in flight", "dead"):
            table.add_column(column, justify="right")
        table.add_column("waiting")
        for stream, sink in self._sinks.items():
            books = sink.engine.books
            waiting = ", ".join(f"{app}: {why}" for app, why in sink.engine.waiting.items())
            numbers = (
                books.received,
                books.delivered,
                books.batches,
                round(self._rates[stream].at(books.delivered)),
                self._producers[stream].produced - books.settled,
                sink.engine.in_flight,
                books.dead_lettered,
            )
            table.add_row(stream, *(f"{n:,}" for n in numbers), waiting)
        return table
