"""docs/reliability.md: what was tried, and a table of every cell."""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import groupby
from operator import add

from tests.matrix.answers import LONGEST_BACKOFF, MINUTE, READ_SECONDS
from tests.matrix.cells import ALL, Disturbance, chosen
from tests.matrix.disturb import PAUSE_SECONDS
from tests.matrix.result import Result
from tests.matrix.run import WAVE
from tests.matrix.scene import BATCH_RECORDS, IN_FLIGHT, SESSION_MS, SOCKET_MS

EVERYTHING = "## Everything at once"
RECORDS = 3 * 3 * WAVE  # of a cell that is played once
COLUMNS = (
    *("answer", "apps", "records", "disturbances", "bad answers", "lost", "sent twice", "may be", "in doubt"),
    *("dead letters", "recovered in s", ""),
)


def markdown(results: Sequence[Result], minutes: float, jobs: int) -> str:
    """The whole document; a cell that was played several times has one line."""
    rows = [
        reduce(add, played)
        for _, played in groupby(sorted(results, key=_place), key=lambda result: result.cell)
    ]
    tables = [
        f"## {disturbance}\n\n{_table(group)}"
        for disturbance, group in groupby(rows, key=lambda result: result.cell.disturbance)
    ]
    return f"{_head(results, minutes, jobs)}\n" + "\n\n".join(tables) + "\n"


def with_soak(document: str, soak: str) -> str:
    """The document with the figures of the page about the soak at its end, in place of older ones."""
    told, _, rest = soak.partition("\n| | |\n")
    table, picture = rest.partition("\n\n")[0], rest.partition("![")[2].partition(")")[0]
    assert table, "the page about the soak has no table"
    assert picture, "the page about the soak has no picture"
    begin = told.partition("-->\n\n")[2].partition("\n\n")[0]
    return f"""\
{document.partition(EVERYTHING)[0].rstrip()}

{EVERYTHING}

{begin} More about it is in [soak.md](soak.md).

| | |
{table}

![{picture})
"""


def _place(result: Result) -> int:
    return ALL.index(result.cell)


def _table(results: Iterable[Result]) -> str:
    lines = [COLUMNS, ["---", "---", *["---:"] * (len(COLUMNS) - 3), "---"], *map(_row, results)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(result: Result) -> list[str]:
    disturbed = 0 if result.cell.disturbance is Disturbance.NONE else result.records // RECORDS
    figures = (result.records, disturbed, result.struck, result.lost, result.twice, result.allowed_twice)
    told = [str(figure) for figure in (*figures, result.in_doubt, result.dead)]
    verdict = "wrong: " + "; ".join(result.wrongs) if result.wrongs else "ok"
    return [result.cell.answer, result.cell.shape, *told, f"{result.recovered_in:.1f}", verdict]


def _head(results: Sequence[Result], minutes: float, jobs: int) -> str:
    total = [
        sum(getattr(r, name) for r in results) for name in ("records", "lost", "twice", "in_doubt", "samples")
    ]
    records, lost, twice, in_doubt, samples = total
    wrong = sum(bool(result.wrongs) for result in results)
    cells = len({result.cell for result in results})
    played = {1: "once", 2: "twice"}.get(len(results) // cells, f"{len(results) // cells} times")
    times = sorted(result.recovered_in for result in results)
    return f"""\
# Reliability

<!-- Written by `make matrix`; change tests/matrix/report.py instead. -->

Every disturbance of the processes, the group or the broker meets every answer of the API: with one app,
with five, and with five of which only one gets the answer. These are {cells} cells, each played {played}, and
{wrong} went wrong.

In each cell, usage, users and spend run at once, in processes of `productiv-bridge run` on a real Kafka
broker, against the sandbox. An oracle that shares no code with the bridge makes {RECORDS} records and
knows what is owed for each: a third is there at the start, a third comes with the bad answers, a third
after the disturbance.

All in all {records:,} records, {lost} lost, {twice:,} sent twice, {in_doubt:,} payments in doubt and none
accepted twice. Half of the time a cell recovered within {times[len(times) // 2]:.1f} s, all within
{times[-1]:.1f} s.

Half an hour with all of it at once and at random is at the end. What the bridge promises, and which test
keeps each promise, is in [promises.md](promises.md).

## What is checked

- Every event and every payment is at the API as it was produced, or in the dead letters, or (payments) in
  doubt; never at the API and in the dead letters. No payment is accepted twice.
- The API holds of each person what the topic said last.
- Where the API refuses records for good (400, 413), these are dead letters (or, if the process died over a
  payment, in doubt), and nothing else is.
- Records sent twice are counted. There may be as many (column "may be") as were delivered beyond the
  offsets committed when the disturbance struck, and {IN_FLIGHT} requests of {BATCH_RECORDS} under way for
  each process, and {BATCH_RECORDS} for each answer that left open what became of its request.
- Payments are in doubt only where an answer was lost, a process was killed, or the broker was away.
- Offsets are read first, then the API and the topics: what is before them must be there. {samples:,}
  samples.
- With one app broken, all records of the others are delivered before it is mended.
- At the end all is committed, the books of each process balance, it is ready, and it ends in order on
  SIGTERM. No process has ended by itself, and nobody has lent a hand.

A record is settled with `success: false` as a dead letter if the API says so of it alone. Here the API says
so by chance, so it may refuse a second copy of what it took.

Seconds to recover count from the moment when the disturbance is over and the API answers well again, until
everything is settled and committed. After SIGKILL this waits for the session of the dead member to end.

## What is shorter than in life

| in life | here |
| --- | --- |
| a stall of 30 s, as the read timeout | {2 * READ_SECONDS:g} s, with a read timeout of {READ_SECONDS:g} s |
| 401 for a minute | {MINUTE:g} s and more; tries are at most {LONGEST_BACKOFF:g} s apart |
| a broker that stands still | {PAUSE_SECONDS:g} s, with sessions of {SESSION_MS / 1000:g} s |
| a request to Kafka waits 60 s for its answer | {SOCKET_MS / 1000:g} s |
| batches of 1000 | {BATCH_RECORDS} |
| offsets set back | to half of what was committed, in all streams |

500, reset in mid-body, answer lost, 30 s stall, malformed JSON and `success: false` meet 40 % of the
requests while they last; with one app broken all of its requests, but for `success: false`. 500 and the
stall come before and after the batch was taken. All other answers meet every request. No app has a token or
an address of its own, so there is no cell with one app broken for these.

It took {minutes:.0f} minutes, {jobs} cells at a time. `make matrix ARGS="--only 'SIGKILL / 503'"` plays
some of them, and `make test` plays {len(chosen())}.
"""
