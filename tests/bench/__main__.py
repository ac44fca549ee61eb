"""`make bench`: one section after the other, and the page that they make."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tests.bench import machine, quick, throughput
from tests.bench.chapter import Chapter, all_kept, write_page
from tests.bench.ground import Ground, console, ground, on_the_side
from tests.bench.installed import NAMES, LeftOut, peers
from tests.bench.job import Format, Job
from tests.bench.tables import shown
from tests.bench.watched import BenchFailed

app = typer.Typer(
    help="How fast the bridge is, beside the least that anyone could do and beside other programs.",
    epilog="Each section keeps its figures in build/bench/; `page` writes docs/benchmarks.md of those.",
    add_completion=False,
    no_args_is_help=True,
)

Events = Annotated[int, typer.Option(help="Usage events on the topic, rounded up to full batches.", min=1)]
Rounds = Annotated[int, typer.Option(help="How often each contestant has its turn.", min=1)]
Apps = Annotated[list[int], typer.Option(help="Apps that the events belong to; may be repeated.", min=1)]
Partitions = Annotated[int, typer.Option(help="Partitions of the topic.", min=1)]
Formats = Annotated[list[Format], typer.Option("--format", help="Wire format; may be repeated.")]
Peers = Annotated[bool, typer.Option(help="Whether other programs take part.")]
Only = Annotated[list[str] | None, typer.Option("--peer", help=f"Of these only: {', '.join(NAMES)}.")]
Against = Annotated[Path | None, typer.Option(help="Another checkout, to compare with.", file_okay=False)]


@app.command("throughput")
def run_throughput(
    events: Events = 400_000,
    rounds: Rounds = 5,
    apps: Apps = [1, 8, 500],  # noqa: B006  (typer takes it for the default and changes nothing)
    partitions: Partitions = 6,
    format: Formats = [Format.JSON, Format.AVRO],  # noqa: B006
    peers: Peers = True,
    peer: Only = None,
    against: Against = None,
) -> None:
    """The same topics through the floor, the bridge and other programs, in turn."""
    names = (peer or NAMES) if peers else ()
    jobs = [Job.of_full_batches(events, each, partitions, wire) for wire in format for each in apps]

    def measured(on: Ground) -> throughput.Throughput:
        return throughput.measure(on, jobs, rounds, names, against)

    _section(lambda on, *about: throughput.chapter(measured(on), *about))


@app.command("all")
def run_all(rounds: Rounds = 5) -> None:
    """All sections with their defaults, and then the page."""
    run_throughput(rounds=rounds)
    run_page()


@app.command("quick")
def run_quick(
    check: Annotated[bool, typer.Option(help="End with 1 if a ratio is worse than accepted.")] = False,
    accept: Annotated[bool, typer.Option(help="Take the ratios for those to expect from now on.")] = False,
) -> None:
    """The bridge's CPU time as a ratio to the floor's, in less than two minutes."""
    with _failing_plainly(), ground() as on:
        ratios, rows = quick.measure(on)
    console.print(shown("", quick.COLUMNS, rows))
    if accept:
        quick.accept(ratios)
    found = quick.worse(ratios, quick.accepted())
    for line in found:
        console.print(f"worse: {line}", highlight=False)
    if check and found:
        raise typer.Exit(1)


@app.command("peers")
def install_peers() -> None:
    """Installs the other programs into .cache/bench-peers, and says which are not to be had and why."""
    for name, found in peers(NAMES, lambda text: on_the_side.print(text, style="dim")).items():
        said = f"left out: {found.reason}" if isinstance(found, LeftOut) else f"{dict(found.versions)}"
        console.print(f"{name}: {said}", highlight=False)


@app.command("page")
def run_page(
    markdown: Annotated[Path, typer.Option(help="Where to.")] = Path("docs/benchmarks.md"),
) -> None:
    """Writes the page of all sections that were run."""
    chapters = all_kept()
    write_page(chapters, markdown)
    console.print(f"{markdown}: {', '.join(chapter.name for chapter in chapters)}", highlight=False)


def _section(measured: Callable[[Ground, str, dict[str, str], float], Chapter]) -> None:
    """Runs it on a ground of its own, so that none is slower for what another left on the broker."""
    load, command = os.getloadavg()[0], f'make bench ARGS="{" ".join(sys.argv[1:])}"'
    with _failing_plainly(), ground() as on:
        made = measured(on, command, machine.described(on.kafka.broker), load)
        console.print(f"kept in {made.keep()}", highlight=False)


@contextmanager
def _failing_plainly() -> Iterator[None]:
    try:
        yield
    except BenchFailed as failure:
        on_the_side.print(f"[red]failed:[/] {failure}", highlight=False)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
