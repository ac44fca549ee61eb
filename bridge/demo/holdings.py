"""The other direction's balance: what the sandbox holds, against what the sources put on their topics."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Message
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bridge.core.record import Doc

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Holding:
    """One source's books.

    `held`: things that the sandbox has. `present`: those of them that are on the topic, as they are now.
    `twice`: records on the topic that say nothing new.
    """

    held: int
    present: int
    twice: int

    @property
    def balanced(self) -> bool:
        """Whether all is there, and nothing twice."""
        return self.held == self.present and not self.twice


@dataclass(frozen=True, slots=True)
class Showing:
    """How a source's books are read.

    `content` is the sandbox's page of what it holds, `known` gives a row's key and what must be known of it,
    and `said` gives the same of a record. `trail`: things happen once and never change.
    """

    content: str
    known: Callable[[Row], tuple[str, Any]]
    said: Callable[[Doc], tuple[str, Any]]
    trail: bool = False


SHOWINGS = {
    "audit_events": Showing(
        "audit-events",
        lambda row: (row["eventId"], row["eventType"]),
        lambda record: (record["eventId"], record["eventType"]),
        trail=True,
    ),
    "executions": Showing(
        "executions",
        lambda row: (row["executionId"], row["status"]),
        lambda record: (record["executionId"], record["status"]),
    ),
    "workflows": Showing(
        "workflows",
        lambda row: (row["workflowId"], row["workflowName"]),
        lambda record: (record["workflowId"], record["workflowName"]),
    ),
    "apps": Showing(
        "portfolio",
        lambda row: (row["ApplicationId"], (row["AppName"], row["AppStatus"])),
        lambda record: (record["applicationId"], (record["appName"], record["appStatus"])),
    ),
}


def holding(showing: Showing, rows: Iterable[Row], records: Sequence[tuple[Message, Doc | None]]) -> Holding:
    """The books of a source: what the sandbox held, and all records of the topic in their order."""
    held = dict(map(showing.known, rows))
    twice = 0
    documents: dict[bytes | None, Doc | None] = {}
    for message, record in records:
        key = message.key()
        twice += key in documents and (showing.trail or documents[key] == record)
        documents[key] = record
    last = dict(showing.said(record) for record in documents.values() if record is not None)
    present = sum(last.get(key) == known for key, known in held.items())
    gone = 0 if showing.trail else len(last.keys() - held.keys())
    return Holding(len(held), present - gone, twice)


def table(holdings: Mapping[str, Holding]) -> Table:
    """The books for a terminal."""
    shown = Table(title="Back from Productiv", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("source")
    for column in ("held by the sandbox", "on the topic", "twice"):
        shown.add_column(column, justify="right")
    shown.add_column("balanced")
    for stream, each in holdings.items():
        numbers = (each.held, each.present, each.twice)
        shown.add_row(stream, *(f"{n:,}" for n in numbers), "yes" if each.balanced else "NO")
    return shown
