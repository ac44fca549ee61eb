"""Tables, in Markdown and for the terminal, and how figures are written in them."""

from collections.abc import Sequence

from rich.table import Table

from tests.bench.figures import Spread, Summary

MIB = 2**20
SUMMARY_COLUMNS = (
    "",
    "events/s",
    "CPU µs/event",
    "CPU to floor",
    "peak MiB",
    "first batch s",
    "all done s",
    "events/request",
)

Rows = Sequence[Sequence[str]]


def grid(columns: Sequence[str], rows: Rows) -> str:
    """In Markdown; all columns but the first are flush right."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(title: str, columns: Sequence[str], rows: Rows) -> Table:
    """For the terminal, with medians alone."""
    made = Table(title=title)
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left")
    for row in rows:
        made.add_row(*(cell.partition(" (")[0] for cell in row))
    return made


def spread(value: Spread, format: str) -> str:
    """Median, with least and most where there are several."""
    if value.least == value.most:
        return f"{value.median:{format}}"
    return f"{value.median:{format}} ({value.least:{format}} to {value.most:{format}})"


def mib(size: float) -> str:
    """Bytes as MiB."""
    return f"{size / MIB:.0f}"


def yes(holds: bool) -> str:
    """A cell that says whether."""
    return "yes" if holds else "no"


def summary_row(summary: Summary, floor: str) -> list[str]:
    """A contestant's row below `SUMMARY_COLUMNS`; the one called `floor` sends no requests."""
    return [
        summary.name,
        spread(summary.rate, ",.0f"),
        spread(summary.cpu_micros, ".2f"),
        spread(summary.cpu_ratio, ".2f"),
        mib(summary.peak.median),
        spread(summary.first_batch, ".1f"),
        spread(summary.done, ".1f"),
        "" if summary.name == floor else f"{summary.batch.median:.0f}",
    ]
