"""Plays several cells at a time, each in a process with a broker of its own, as a cell may stop it.

Processes and not threads: a sandbox that waits for its turn answers so late that requests run out of time.
"""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.util import Finalize
from pathlib import Path

from tests.kafka_broker.broker import Absent, OwnBroker
from tests.kafka_broker.choose import choose_own
from tests.kafka_broker.cluster import Cluster
from tests.matrix.cells import Cell
from tests.matrix.result import Result
from tests.matrix.run import run

_kafka: Cluster[OwnBroker]


def played(cells: Iterable[Cell], jobs: int, folder: Path) -> Iterator[Result]:
    """The results as they come; what each bridge logs stands in `folder`.

    Raises:
        BrokenProcessPool: there is no Apache Kafka; why was said on standard error.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, initializer=_start_broker, initargs=(folder,)) as pool:
        playing = [pool.submit(_play, cell, folder / f"cell-{number}") for number, cell in enumerate(cells)]
        for each in as_completed(playing):
            yield each.result()


def _start_broker(folder: Path) -> None:
    global _kafka  # one for each process of the pool
    broker = choose_own(folder / f"kafka-{multiprocessing.current_process().name}")
    if isinstance(broker, Absent):
        raise SystemExit(str(broker))
    _kafka = Cluster(broker)
    Finalize(None, broker.close, exitpriority=1)


def _play(cell: Cell, folder: Path) -> Result:
    folder.mkdir(parents=True)
    return run(cell, _kafka, folder)
