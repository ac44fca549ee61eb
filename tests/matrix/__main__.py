"""`make matrix`: plays cells, several at a time, and writes docs/reliability.md if it played all of them."""

import queue
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.kafka_broker.broker import Absent, OwnBroker
from tests.kafka_broker.choose import choose_own
from tests.kafka_broker.cluster import Cluster
from tests.matrix import report
from tests.matrix.cells import ALL, Cell
from tests.matrix.result import Result
from tests.matrix.run import run

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
console = Console(stderr=True)

Brokers = queue.SimpleQueue[Cluster[OwnBroker]]


def main(
    only: Annotated[str, typer.Option(help="Only cells with this in their name.")] = "",
    repeat: Annotated[int, typer.Option(help="How often each cell is played.", min=1)] = 1,
    jobs: Annotated[int, typer.Option(help="Cells at a time, each with a broker.", min=1)] = 4,
    keep: Annotated[Path | None, typer.Option(help="Folder for the logs of bridges.")] = None,
) -> None:
    """Plays every disturbance with every answer in every shape; exit code 1 if anything was wrong."""
    cells = [cell for cell in ALL if only in str(cell)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, _brokers(jobs, Path(folder)) as brokers:
        results = list(_played(cells * repeat, brokers, jobs, keep or Path(folder)))
    minutes = (time.monotonic() - began) / 60
    failed = [result for result in results if result.wrongs]
    console.print(f"{len(results)} cells in {minutes:.1f} min, {len(failed)} wrong", highlight=False)
    if cells == ALL:
        DOCUMENT.write_text(report.markdown(results, minutes, jobs), encoding="utf-8")
    sys.exit(bool(failed))


@contextmanager
def _brokers(jobs: int, folder: Path) -> Iterator[Brokers]:
    """A broker for each job, as a cell may stop its own."""
    started: list[OwnBroker] = []
    waiting: Brokers = queue.SimpleQueue()
    try:
        for number in range(jobs):
            broker = choose_own(folder / f"kafka-{number}")
            if isinstance(broker, Absent):
                sys.exit(str(broker))
            started.append(broker)
            waiting.put(Cluster(broker))
        yield waiting
    finally:
        for broker in started:
            broker.close()


def _played(cells: list[Cell], brokers: Brokers, jobs: int, folder: Path) -> Iterator[Result]:
    def play(number: int, cell: Cell) -> Result:
        place = folder / f"cell-{number}"
        place.mkdir(parents=True)
        kafka = brokers.get()
        try:
            return run(cell, kafka, place)
        finally:
            brokers.put(kafka)

    with ThreadPoolExecutor(jobs) as pool:
        playing = [pool.submit(play, number, cell) for number, cell in enumerate(cells)]
        for done, each in enumerate(as_completed(playing), 1):
            result = each.result()
            verdict = f"WRONG {'; '.join(result.wrongs)}" if result.wrongs else "ok"
            line = f"{done}/{len(cells)} {result.cell}: {verdict} ({result.took:.1f} s)"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
            yield result


if __name__ == "__main__":
    typer.run(main)
