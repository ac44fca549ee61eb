"""What a benchmark came to: a table for the terminal, JSON for programs, Markdown for the documentation."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from tests.bench.figures import Spread, Summary
from tests.bench.rounds import Result

_MIB = 2**20
COLUMNS = ("", "events/s", "CPU µs/event", "CPU to floor", "peak MiB", "first batch s")
MEMORY_COLUMNS = ("", "25 %", "50 %", "75 %", "100 %")


def title(result: Result) -> str:
    """The job in one line."""
    job = result.job
    return (
        f"{job.events:,} usage events, {job.format}, {result.event_bytes:.0f} B each, "
        f"{job.apps} apps, {job.partitions} partitions, rounds: {result.rounds}"
    )


def verdict(result: Result) -> str:
    """What the verification found."""
    found = result.verified
    return (
        f"Verified against the sandbox: {found.accepted:,} accepted in {found.requests:,} requests of at "
        f"most {found.largest_batch:,}, {found.distinct:,} of them distinct, {found.duplicates} duplicates, "
        f"0 dead letters, books balanced, every offset committed; peak {found.peak / _MIB:.0f} MiB."
    )


def table(result: Result) -> Table:
    """For the terminal."""
    made = Table(title=title(result), caption="median (least to most)")
    for number, column in enumerate(COLUMNS):
        made.add_column(column, justify="right" if number else "left", no_wrap=True)
    for summary in result.summaries:
        made.add_row(*(cell.replace(" (", "\n(") for cell in _row(summary)))
    return made


def as_json(results: Sequence[Result], machine: Mapping[str, str], command: str) -> dict[str, Any]:
    """All figures; seconds, bytes and microseconds as their names say."""
    return {"command": command, "machine": dict(machine), "results": [asdict(result) for result in results]}


def markdown(results: Sequence[Result], machine: Mapping[str, str], load: float, command: str) -> str:
    """`docs/benchmarks.md`."""
    about = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    measured = "\n\n".join(_section(result) for result in results)
    return f"""\
# Benchmarks

<!-- Written by `make bench`; change tests/bench/report.py instead. -->

One Apache Kafka broker, one topic filled beforehand, and in turn, each as a process of its own:

- **consume and decode**: the floor. `consume()` in thousands, every event decoded, and nothing else.
- **consume, decode, post**: the floor of the whole job. It also gathers events by app, encodes them again and
  posts batches of 1000, one request after the other. No validation, no ledger of offsets, no retries.
- **productiv-bridge**: `productiv-bridge run` with default settings: validation, batches by app, ledger,
  metrics, commits.

They post to a server that only counts, so that the API is not what is measured. One more run goes to the
sandbox, which tells every event from every other. After each run of the bridge its books, its committed
offsets and the dead-letter topic must say that every event was delivered, or the benchmark fails.

CPU time is that of the process with all its threads, librdkafka's included, user and system, from the end of
its start-up to its exit. The ratio compares within a round. Events a second count from the first batch to
the last; time to first batch counts from the start of the process, imports and joining the group included.
Figures are medians of the rounds, with the least and the most in brackets.

{measured}

## Where

{about}
- load average when it began: {load:.1f}. Contestants share the cores with the broker, the API and whatever
  else runs, so events a second say more about the machine than CPU time and ratios do.

The command:

```sh
{command}
```
"""


def _section(result: Result) -> str:
    bridges = [s for s in result.summaries if "bridge" in s.name]
    memory = [[s.name, *(f"{_mib(at)} MiB" for at in s.memory)] for s in bridges]
    return "\n\n".join(
        (
            f"## {title(result)}",
            _grid(COLUMNS, [_row(summary) for summary in result.summaries]),
            verdict(result),
            "Memory of the bridge (resident) once so many of the events were delivered:",
            _grid(MEMORY_COLUMNS, memory),
        )
    )


def _row(summary: Summary) -> list[str]:
    return [
        summary.name,
        _with(summary.rate, ",.0f"),
        _with(summary.cpu_micros, ".2f"),
        _with(summary.cpu_ratio, ".2f"),
        _mib(summary.peak),
        _with(summary.first_batch, ".1f"),
    ]


def _with(spread: Spread, format: str) -> str:
    return f"{spread.median:{format}} ({spread.least:{format}} to {spread.most:{format}})"


def _mib(spread: Spread) -> str:
    return f"{spread.median / _MIB:.0f}"


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
