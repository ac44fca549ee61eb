"""`make bench`: one section after the other, and the page that they make."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tests.bench import latency, machine, quick, scale, sources, steps, throughput
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

# Defaults of options that may be repeated. Those of the bridge itself are the last and the first.
IN_FLIGHT = [1, 2, 4, 8, 16]
AGES = [5.0, 1.0]
APPS = [1, 8, 500]
FEW_AND_MANY = [1, 500]
PARTITIONS = [6, 60, 600]
WORKERS = [1, 2, 4]
WINDOWS = [2_000, 500, 10_000]  # the first is the default
FORMATS = [Format.JSON, Format.AVRO]

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
    apps: Apps = APPS,
    partitions: Partitions = 6,
    format: Formats = FORMATS,
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


@app.command("steps")
def run_steps(
    events: Events = 50_000, apps: Apps = APPS, format: Formats = FORMATS, rounds: Rounds = 15
) -> None:
    """CPU time of each step between consumer and request, by itself."""
    _section(lambda on, *about: steps.chapter(steps.measure(events, apps, format, rounds), *about))


@app.command("latency")
def run_latency(
    events: Events = 320_000,
    delay: Annotated[float, typer.Option(help="Seconds that the API takes to answer.", min=0.001)] = 0.1,
    in_flight: Annotated[
        list[int], typer.Option(help="Requests at once; may be repeated.", min=1)
    ] = IN_FLIGHT,
    requests_per_second: Annotated[int, typer.Option(help="Limit of requests.", min=1)] = 20,
    trickle_seconds: Annotated[int, typer.Option(help="Events of the trickle, one a second.", min=1)] = 30,
    max_age: Annotated[list[float], typer.Option(help="Greatest age of a batch; may be repeated.")] = AGES,
) -> None:
    """A slow API, a limit of requests, and one event a second: where time is the bound and not the CPU."""
    plan = latency.Plan(events, delay, in_flight, requests_per_second, trickle_seconds, max_age)
    _section(lambda on, *about: latency.chapter(latency.measure(on, plan), *about))


@app.command("scale")
def run_scale(
    events: Events = 600_000,
    rounds: Rounds = 3,
    partitions: Annotated[list[int], typer.Option(help="Of the topic; may be repeated.")] = PARTITIONS,
    apps: Apps = FEW_AND_MANY,
    workers: Annotated[list[int], typer.Option(help="Workers of the bridge; may be repeated.")] = WORKERS,
    backlog: Annotated[int, typer.Option(help="Records while the API is down; 0 for none.")] = 1_000_000,
    down_seconds: Annotated[float, typer.Option(help="How long the API is down.", min=1)] = 30.0,
) -> None:
    """Many partitions, apps and workers, and a backlog (--backlog 10000000) while the API is down."""
    plan = scale.Plan(events, rounds, partitions, apps, workers, backlog, down_seconds)
    _section(lambda on, *about: scale.chapter(scale.measure(on, plan), *about))


@app.command("sources")
def run_sources(
    events: Annotated[int, typer.Option(help="Audit events on the trail.", min=1)] = 100_000,
    rounds: Rounds = 5,
    format: Formats = FORMATS,
    window: Annotated[list[int], typer.Option(help="`max_window_events`; may be repeated.")] = WINDOWS,
) -> None:
    """Audit events from a fast API to their topic, written and committed."""
    _section(lambda on, *about: sources.chapter(sources.measure(on, events, rounds, format, window), *about))


@app.command("all")
def run_all(rounds: Rounds = 5) -> None:
    """All sections with their defaults, and then the page."""
    run_throughput(rounds=rounds)
    run_steps()
    run_latency()
    run_scale()
    run_sources(rounds=rounds)
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
