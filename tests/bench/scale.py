"""Section: many partitions, many apps, and a backlog while the API is down."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from tests.bench import api
from tests.bench.bridge_run import Variant, finish, started, with_workers
from tests.bench.chapter import Chapter
from tests.bench.contestants import FLOOR, contestants
from tests.bench.counting_server import Manner
from tests.bench.ground import Ground, console, progress
from tests.bench.job import Format, Job
from tests.bench.load import loaded
from tests.bench.rounds import Result, run
from tests.bench.tables import SUMMARY_COLUMNS, grid, mib, shown, summary_row
from tests.bench.track import Track

APPS, PARTITIONS = 8, 6
WORKED_PARTITIONS = 12  # so that four workers have as many each
COLUMNS = ("", *SUMMARY_COLUMNS)
BACKLOG_COLUMNS = ("records on the topic", "held at most", "peak MiB while down", "peak MiB until delivered")
UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tried: each number of partitions, of apps, and of workers by itself, and a backlog."""

    events: int
    rounds: int
    partitions: Sequence[int]
    apps: Sequence[int]
    workers: Sequence[int]
    backlog: int
    down_seconds: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """So many records on the topic while the API is down; memory in bytes."""

    records: int
    held: int
    peak_while_down: int
    peak: int


@dataclass(frozen=True, slots=True)
class Scale:
    """All of it."""

    plan: Plan
    by_partitions: Sequence[Result]
    by_apps: Sequence[Result]
    by_workers: Result | None
    backlog: Backlog | None


def measure(ground: Ground, plan: Plan) -> Scale:
    """The floors and the bridge in turn for each size, and then the bridge alone with a backlog."""

    def result(apps: int, partitions: int, variants: Sequence[Variant] = (Variant(),)) -> Result:
        job = Job.of_full_batches(plan.events, apps, partitions, Format.JSON)
        with progress(job.events) as show:
            turns = contestants(variants)
            return run(ground.kafka, job, plan.rounds, ground.folder, show, turns, verified=False)

    partitions = [result(APPS, number) for number in plan.partitions]
    apps = [result(number, PARTITIONS) for number in plan.apps]
    variants = [with_workers(number) for number in plan.workers]
    workers = result(APPS, WORKED_PARTITIONS, variants) if variants else None
    backlog = _backlog(ground, plan.backlog, plan.down_seconds) if plan.backlog else None
    found = Scale(plan, partitions, apps, workers, backlog)
    console.print(shown("partitions", COLUMNS, _rows(partitions, _partitions)))
    console.print(shown("apps", COLUMNS, _rows(apps, _apps)))
    if workers is not None:
        console.print(shown("workers", SUMMARY_COLUMNS, _summaries(workers)))
    if backlog is not None:
        console.print(shown("API down", BACKLOG_COLUMNS, [_cells(backlog)]))
    return found


def _backlog(ground: Ground, records: int, down_seconds: float) -> Backlog:
    """The bridge reads until it holds as much as it may, and delivers all once the API is back."""
    job = Job(records, APPS, PARTITIONS, Format.JSON)
    with (
        progress(records) as show,
        loaded(ground.kafka, job, partial(show, "produce the backlog")) as topics,
        api.counting(ground.folder) as counting,
    ):
        track = Track(job, topics, counting.url, ground.folder)
        counting.behave(Manner(status=UNAVAILABLE))
        with started(track, Variant()) as running:
            time.sleep(down_seconds)
            held = running.books()["outstanding"]
            back = time.monotonic()
            counting.behave(Manner())
            usage = finish(running, track, counting.events, partial(show, "deliver the backlog"))
    while_down = max(sample.resident for sample in usage.samples if sample.when <= back)
    return Backlog(records, held, while_down, usage.peak)


def chapter(found: Scale, command: str, machine: Mapping[str, str], load: float) -> Chapter:
    """As it stands on the page."""
    plan = found.plan
    backlog = "" if found.backlog is None else f"\n\n{_backlog_text(plan, found.backlog)}"
    workers = "" if found.by_workers is None else f"\n\n{_workers_text(found.by_workers)}"
    text = f"""\
## Scale

Events in JSON, at least {plan.events:,}, in turn through both floors and the bridge; rounds: {plan.rounds}.

{APPS} apps, over so many partitions:

{grid(COLUMNS, _rows(found.by_partitions, _partitions))}

{PARTITIONS} partitions, with events of so many apps:

{grid(COLUMNS, _rows(found.by_apps, _apps))}{workers}{backlog}"""
    return Chapter("scale", command, machine, load, text, asdict(found))


def _workers_text(result: Result) -> str:
    return f"""\
{APPS} apps, over {WORKED_PARTITIONS} partitions, with several workers whose batches wait for half a second at
most; CPU time and memory are those of all processes together:

{grid(SUMMARY_COLUMNS, _summaries(result))}"""


def _backlog_text(plan: Plan, backlog: Backlog) -> str:
    return f"""\
A backlog of {backlog.records:,} records, and an API that answers {UNAVAILABLE} for {plan.down_seconds:g}
seconds and then takes everything. The bridge reads no further than `max_outstanding_records` and
`max_outstanding_bytes`, so that what it takes does not grow with the backlog:

{grid(BACKLOG_COLUMNS, [_cells(backlog)])}"""


def _cells(backlog: Backlog) -> list[str]:
    sizes = (mib(backlog.peak_while_down), mib(backlog.peak))
    return [f"{backlog.records:,}", f"{backlog.held:,}", *sizes]


def _partitions(job: Job) -> str:
    return f"{job.partitions} partitions"


def _apps(job: Job) -> str:
    return "1 app" if job.apps == 1 else f"{job.apps} apps"


def _rows(results: Sequence[Result], named: Callable[[Job], str]) -> list[list[str]]:
    return [[named(each.job), *row] for each in results for row in _summaries(each)]


def _summaries(result: Result) -> list[list[str]]:
    return [summary_row(summary, FLOOR) for summary in result.summaries]
