"""Section: the same events through every contestant, in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tests.bench.bars import FLOOR as FLOOR_COLOUR
from tests.bench.bars import OTHERS, OURS, Bar, Panel, svg
from tests.bench.bridge_run import BRIDGE, Variant
from tests.bench.chapter import IMAGES, Chapter
from tests.bench.contestants import DOES, FLOOR, FLOOR_AND_POST, Does, contestants
from tests.bench.figures import Spread
from tests.bench.ground import Ground, console, on_the_side, progress
from tests.bench.installed import LeftOut, Peer, peers
from tests.bench.job import Job
from tests.bench.rounds import Result, run
from tests.bench.tables import SUMMARY_COLUMNS, grid, mib, shown, summary_row, yes

MEMORY_COLUMNS = ("", "25 %", "50 %", "75 %", "100 %")
DOES_COLUMNS = (
    "",
    "validates",
    "batches by app",
    "tries again",
    "commits after success",
    "ledger of offsets",
)
CPU_IMAGE, DONE_IMAGE = "cpu.svg", "done.svg"


@dataclass(frozen=True, slots=True)
class Throughput:
    """All jobs, and which peers took no part and why."""

    results: Sequence[Result]
    versions: Mapping[str, str]
    left_out: Mapping[str, str]


def measure(
    ground: Ground, jobs: Sequence[Job], rounds: int, names: Sequence[str], against: Path | None
) -> Throughput:
    """Runs all jobs with the peers of these names, as far as they can be installed."""
    found = peers(names, lambda text: on_the_side.print(text, style="dim"))
    there = {name: peer for name, peer in found.items() if isinstance(peer, Peer)}
    left_out = {name: peer.reason for name, peer in found.items() if isinstance(peer, LeftOut)}
    variants = [Variant()]
    if against is not None:
        variants.append(Variant(f"{BRIDGE} in {against.name}", checkout=against.resolve()))
    results = []
    for job in jobs:
        with progress(job.events) as show:
            turns = contestants(variants, there)
            results.append(run(ground.kafka, job, rounds, ground.folder, show, turns))
        rows = [summary_row(summary, FLOOR) for summary in results[-1].summaries]
        console.print(shown(title(results[-1]), SUMMARY_COLUMNS, rows), verdict(results[-1]), "")
    for name, reason in left_out.items():
        console.print(f"{name} is left out: {reason}", highlight=False)
    versions = {
        name if what == name else f"{name} ({what})": said
        for name, peer in there.items()
        for what, said in peer.versions.items()
    }
    return Throughput(results, versions, left_out)


def title(result: Result) -> str:
    """The job in one line."""
    job = result.job
    apps = "1 app" if job.apps == 1 else f"{job.apps} apps"
    return (
        f"{job.events:,} usage events, {job.format}, {result.event_bytes:.0f} B each, "
        f"{apps}, {job.partitions} partitions, rounds: {result.rounds}"
    )


def verdict(result: Result) -> str:
    """What the verification found, and which peers failed."""
    failed = "".join(f"\n\n{name} has no figures: {reason}." for name, reason in result.failed.items())
    found = result.verified
    if found is None:
        return failed.strip()
    return (
        f"Verified against the sandbox: {found.accepted:,} accepted in {found.requests:,} requests of at "
        f"most {found.largest_batch:,}, {found.distinct:,} of them distinct, {found.duplicates} duplicates, "
        f"0 dead letters, books balanced, every offset committed; peak {mib(found.peak)} MiB.{failed}"
    )


def chapter(found: Throughput, command: str, machine: Mapping[str, str], load: float) -> Chapter:
    """As it stands on the page."""
    panel = partial(_panel, found.results)
    return Chapter(
        "throughput",
        command,
        {**machine, **found.versions},
        load,
        _text(found),
        asdict(found),
        {
            CPU_IMAGE: svg("CPU microseconds per event: less is better", panel("cpu_micros"), ".1f"),
            DONE_IMAGE: svg("seconds until all was delivered: less is better", panel("done"), ".1f"),
        },
    )


def _text(found: Throughput) -> str:
    names = list(dict.fromkeys(summary.name for each in found.results for summary in each.summaries))
    does = [[name, *map(yes, _cells(DOES.get(name, DOES[BRIDGE])))] for name in names]
    left_out = "".join(f"\n- {name} is left out: {reason}" for name, reason in found.left_out.items())
    jobs = "\n\n".join(map(_job, found.results))
    return f"""\
## Throughput

A topic filled beforehand, and in turn, within each round:

- **{FLOOR}**: the floor. `consume()` in thousands, every event decoded, and nothing else.
- **{FLOOR_AND_POST}**: the floor of the whole job. It also gathers events by app, encodes them again and
  posts batches of 1000, one request after the other, and commits nothing.
- **{BRIDGE}**: `productiv-bridge run` with default settings.
- others, each as a competent user would write or configure it for this job: `tests/bench/peers/` has them,
  with what was chosen and why. They may hold as many records as the bridge may, so that their batches fill
  as well. Those in Python share one HTTP client and one decoder with the floor.

What each does of the job:

{grid(DOES_COLUMNS, does)}

A ledger of offsets lets requests overtake each other and still commits only what lies behind the first that
is not settled. Without batches by app, events of all apps go out in one array, which Productiv's API does
not take.
{left_out}

After each run every event must have arrived once and every offset must be committed, or the run does not
count; for the bridge its books and the dead-letter topic must say so too. Before the rounds one run of the
bridge goes to the sandbox, which tells every event from every other.

The ratio compares CPU time within a round. Events a second count from the first batch to the last; time to
the first batch, and until all was done, from the start of the process, imports and joining the group
included. Who gathers for long before the first batch, as with many apps, shows too many events a second:
there, compare when all was done. Figures are medians of the rounds, with the least and the most in
brackets.

![CPU time per event]({IMAGES.as_posix()}/{CPU_IMAGE})

![Seconds until all was delivered]({IMAGES.as_posix()}/{DONE_IMAGE})

{jobs}"""


def _job(result: Result) -> str:
    bridges = [summary for summary in result.summaries if summary.name.startswith(BRIDGE)]
    memory = [[summary.name, *(f"{mib(at.median)} MiB" for at in summary.memory)] for summary in bridges]
    return "\n\n".join(
        (
            f"### {title(result)}",
            grid(SUMMARY_COLUMNS, [summary_row(summary, FLOOR) for summary in result.summaries]),
            verdict(result),
            "Memory of the bridge (resident) once so many of the events were delivered:",
            grid(MEMORY_COLUMNS, memory),
        )
    )


def _cells(does: Does) -> list[bool]:
    return [does.validates, does.batches_by_app, does.retries, does.commits, does.ledger]


def _panel(results: Sequence[Result], figure: str) -> list[Panel]:
    return [
        Panel(title(each), [_bar(summary.name, getattr(summary, figure)) for summary in each.summaries])
        for each in results
    ]


def _bar(name: str, value: Spread) -> Bar:
    colour = OURS if name.startswith(BRIDGE) else FLOOR_COLOUR if name in {FLOOR, FLOOR_AND_POST} else OTHERS
    return Bar(name, value.median, value.least, value.most, colour)
