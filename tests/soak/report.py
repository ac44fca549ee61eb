"""docs/soak.md and its picture: what a long run with everything at once came to.

Its figures are also at the end of docs/reliability.md.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.matrix.disturb import MOST_SET_BACK
from tests.matrix.report import with_soak
from tests.soak.ground import PARK_SECONDS
from tests.soak.growth import memory, quarters
from tests.soak.plan import BURST
from tests.soak.plot import Line, svg
from tests.soak.result import Result
from tests.soak.run import FIRST_PART, MEMBERS

IMAGE = "images/soak/memory.svg"
ROWS = 10
MIB = 2**20


def write(folder: Path, result: Result, rate: float) -> None:
    """Writes soak.md and its picture into a folder, and its figures into reliability.md if that is there."""
    (folder / IMAGE).parent.mkdir(parents=True, exist_ok=True)
    (folder / IMAGE).write_text(picture(result), encoding="utf-8")
    page, reliability = markdown(result, rate), folder / "reliability.md"
    (folder / "soak.md").write_text(page, encoding="utf-8")
    if reliability.exists():
        reliability.write_text(with_soak(reliability.read_text(), page), encoding="utf-8")


def summary(result: Result) -> str:
    """The figures in a few lines, and what was wrong."""
    produced = ", ".join(f"{stream} {count:,}" for stream, count in result.records.items())
    read = ", ".join(f"{output} {count:,}" for output, count in result.read.items())
    before, after = (size / MIB for size in quarters(result.samples, result.steady))
    lines = [
        f"produced: {produced}; read: {read}",
        f"disturbances: {result.disturbances.total()}, bad answers: {result.struck:,}",
        f"lost {result.lost}, sent twice {result.twice:,} (at most {result.allowed_twice:,}), "
        f"in doubt {result.in_doubt:,} (at most {result.allowed_in_doubt:,}), dead letters {result.dead:,}, "
        f"seen parked {result.parked:,}",
        f"drained in {result.drained_in:.1f} s; {result.looks:,} looks; "
        f"memory {before:.0f}, then {after:.0f} MiB",
    ]
    return "\n".join([*lines, *(f"WRONG {wrong}" for wrong in result.wrongs)])


def picture(result: Result) -> str:
    """Memory of each process over time; the one that was never ended stands out."""
    processes = sorted({process for sample in result.samples for process in sample.resident})
    lines = [
        Line(
            [(when / 60, size / MIB) for when, size in memory(result.samples, process)],
            *(("#b03060", 2.0) if process == result.steady else ("#8899aa", 0.8)),
        )
        for process in sorted(processes, key=lambda process: process == result.steady)
    ]
    end = result.samples[-1].when
    calm = (result.disturbed_seconds / 60, end / 60)
    return svg("Memory of the bridges", "minutes", "MiB", lines, calm)


def markdown(result: Result, rate: float) -> str:
    """The whole page."""
    before, after = (size / MIB for size in quarters(result.samples, result.steady))
    records = result.records.total()
    seconds = result.disturbed_seconds
    verdict = "Nothing was wrong." if not result.wrongs else f"Wrong: {'; '.join(result.wrongs)}."
    return f"""\
# Soak

<!-- Written by `make soak`; change tests/soak/report.py instead. -->

For {seconds / 60:.0f} minutes everything was disturbed at random, then nothing any more, until all was
delivered. {verdict}

Two or three processes of `productiv-bridge run` with all sinks and all sources ran on a real Kafka broker,
against the sandbox. {rate:g} records a second of each sink came all the time, and in bursts {BURST} more at
once: {records:,} in all. Each turn took one disturbance and one answer of the API, as
[the matrix](reliability.md) has them, for a few seconds; at times one app got an answer of its own for
several turns, and was parked (after {PARK_SECONDS:g} s, not 60 s). Another answer refused marked records
all the time.

| | |
| --- | ---: |
| disturbances | {result.disturbances.total()} |
| bad answers | {result.struck:,} |
| records for the API | {records:,} |
| records from the API | {sum(result.read.values()):,} |
| lost | {result.lost} |
| payments accepted twice | {result.paid_twice} |
| payments in doubt | {result.in_doubt:,} |
| other records sent twice | {result.twice:,} |
| dead letters | {result.dead:,} |
| records seen on parking topics | {result.parked:,} |
| times that offsets were held against what was settled | {result.looks:,} |
| seconds until all was settled, without faults | {result.drained_in:.1f} |
| memory of the process that was never ended, second quarter of its life | {before:.0f} MiB |
| last quarter | {after:.0f} MiB |

## Memory

![Memory of the bridges over time]({IMAGE})

The dark line is the process that was never ended after the first {FIRST_PART:.0%} of the time, the others
are those that were killed, ended and joined; grey is the time without faults.

## Over time

{_over_time(result)}

A lag stands for what an app that is broken, or an API that is down, holds up.

## What happened

{_counted("disturbance", result)}

{_answers(result)}

Offsets were set back by up to {MOST_SET_BACK} records a partition, in the first {FIRST_PART:.0%} of the time
only, as all processes have to end for that.

## What is checked

What [the matrix](reliability.md) checks, with the org chart's last word on each person beside that on each
user. How many records may be sent twice or be in doubt is bounded as there, but with so much at once the
bounds are wide. In the end all is committed, books balance, nobody is parked, the parking topics are empty,
and what the sources read is on their topics once.

`make soak ARGS="--seed {result.seed}"` makes the same plan again; which record meets which part of it is
another matter. There are {MEMBERS[0]} to {MEMBERS[1]} processes. `success: false`, by chance, would make
dead letters of any record, so it is left to the matrix.
"""


def _over_time(result: Result) -> str:
    lines = ["| until minute | records in a second | committed in a second | lag at most | MiB |"]
    lines.append("| ---: | ---: | ---: | ---: | ---: |")
    return "\n".join([*lines, *_rows(result)])


def _rows(result: Result) -> Iterator[str]:
    last = len(result.samples) - 1
    ends = sorted({last * number // ROWS for number in range(ROWS + 1)})
    for begin, end in pairwise(ends):
        part = result.samples[begin : end + 1]
        took = part[-1].when - part[0].when
        came = part[-1].produced - part[0].produced
        done = came - (part[-1].lag - part[0].lag)
        steady = [
            size for each in part for (name, _), size in each.resident.items() if name == result.steady[0]
        ]
        lag = max(sample.lag for sample in part)
        rss = max(steady, default=0) / MIB
        yield f"| {part[-1].when / 60:.1f} | {came / took:.0f} | {done / took:.0f} | {lag:,} | {rss:.0f} |"


def _counted(name: str, result: Result) -> str:
    rows = [f"| {each} | {count} |" for each, count in sorted(result.disturbances.items())]
    return "\n".join([f"| {name} | times |", "| --- | ---: |", *rows])


def _answers(result: Result) -> str:
    names = sorted(result.answers | result.broken)
    rows = [f"| {name} | {result.answers[name]} | {result.broken[name]} |" for name in names]
    head = ["| answer | turns, to all apps | turns, to one app |", "| --- | ---: | ---: |"]
    return "\n".join([*head, *rows])
