"""`make bench`: measures, shows a table, and writes documents where asked to."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench import machine, report
from tests.bench.job import Format, Job
from tests.bench.rounds import Result, Show, run
from tests.bench.watched import BenchFailed
from tests.kafka_broker.broker import Absent, Broker
from tests.kafka_broker.choose import choose
from tests.kafka_broker.cluster import Cluster

console = Console()
on_the_side = Console(stderr=True)  # progress, so that --json leaves clean output


def main(
    events: Annotated[int, typer.Option(help="Usage events on the topic.", min=1)] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="How often each contestant has its turn.", min=1)] = 3,
    apps: Annotated[int, typer.Option(help="Apps that the events belong to.", min=1)] = 8,
    partitions: Annotated[int, typer.Option(help="Partitions of the topic.", min=1)] = 6,
    format: Annotated[list[Format] | None, typer.Option(help="Wire format; may be repeated.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="Another checkout of this project, to compare with.", file_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write docs/benchmarks.md or the like.")] = None,
) -> None:
    """Measures how fast usage events cross, beside a loop that does the least anyone could do."""
    load = os.getloadavg()[0]
    jobs = [Job(events, apps, partitions, each) for each in format or [Format.JSON]]
    try:
        with tempfile.TemporaryDirectory() as folder, _kafka(Path(folder)) as kafka:
            about = machine.described(kafka.broker)
            results = [_run(kafka, job, rounds, Path(folder), against, quiet=as_json) for job in jobs]
    except BenchFailed as failure:
        on_the_side.print(f"[red]failed:[/] {failure}", highlight=False)
        raise typer.Exit(1) from None
    command = f'make bench ARGS="{" ".join(sys.argv[1:])}"'
    if as_json:
        print(json.dumps(report.as_json(results, about, command)))
    if markdown is not None:
        markdown.parent.mkdir(parents=True, exist_ok=True)
        markdown.write_text(report.markdown(results, about, load, command), encoding="utf-8")


@contextmanager
def _kafka(folder: Path) -> Iterator[Cluster[Broker]]:
    broker = choose(folder / "kafka")
    if isinstance(broker, Absent):
        raise BenchFailed(str(broker))
    try:
        yield Cluster(broker)
    finally:
        broker.close()


def _run(
    kafka: Cluster[Broker], job: Job, rounds: int, folder: Path, against: Path | None, quiet: bool
) -> Result:
    with _progress(job.events) as show:
        result = run(kafka, job, rounds, folder, show, against and against.resolve())
    if not quiet:
        console.print(report.table(result), report.verdict(result), "")
    return result


@contextmanager
def _progress(events: int) -> Iterator[Show]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"))
    with Progress(*columns, TimeElapsedColumn(), console=on_the_side) as progress:
        tasks: dict[str, int] = {}

        def show(step: str, done: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=events)
            progress.update(progress.task_ids[tasks[step]], completed=done)

        yield show


if __name__ == "__main__":
    typer.run(main)
