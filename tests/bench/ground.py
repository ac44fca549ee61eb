"""What every section stands on: a broker, a folder for files, and a place to show how far it is."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench.rounds import Show
from tests.bench.watched import BenchFailed
from tests.kafka_broker.broker import Absent, Broker
from tests.kafka_broker.choose import choose
from tests.kafka_broker.cluster import Cluster

console = Console()
on_the_side = Console(stderr=True)  # progress, so that what is printed is the result


@dataclass(frozen=True, slots=True)
class Ground:
    """A running broker and a folder that is gone afterwards."""

    kafka: Cluster[Broker]
    folder: Path


@contextmanager
def ground() -> Iterator[Ground]:
    """One for all sections of a run.

    Raises:
        BenchFailed: there is no Apache Kafka.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = choose(folder / "kafka")
        if isinstance(broker, Absent):
            raise BenchFailed(str(broker))
        try:
            yield Ground(Cluster(broker), folder)
        finally:
            broker.close()


@contextmanager
def progress(total: int) -> Iterator[Show]:
    """Shows steps of so many events each."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"))
    with Progress(*columns, TimeElapsedColumn(), console=on_the_side) as shown:
        tasks: dict[str, int] = {}

        def show(step: str, done: int) -> None:
            if step not in tasks:
                tasks[step] = shown.add_task(step, total=total)
            shown.update(shown.task_ids[tasks[step]], completed=done)

        yield show
