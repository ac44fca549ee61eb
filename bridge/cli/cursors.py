"""`productiv-bridge cursors`: how far each source has got, and how to send it elsewhere."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridge import config, wiring
from bridge.core.errors import BridgeError, ConfigError
from bridge.core.polling import Cursor, Json, SourceStream
from bridge.core.ports import Fenced
from bridge.export.moment import Moment, moment
from bridge.kafka.cursor_topic import CursorTopic, Kept
from bridge.streams import SOURCES
from bridge.telemetry import logs

app = typer.Typer(
    no_args_is_help=True,
    help="How far each source has got: list, set, reset.",
    pretty_exceptions_show_locals=False,
)

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="A source, such as audit_events.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file; else the one named by BRIDGE_CONFIG, if any."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

Change = Callable[[Cursor], Mapping[str, Json | None]]

_UNITS = {"d": 86_400, "h": 3600, "min": 60}


@app.command("list")
def list_(
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of a table.")] = False,
) -> None:
    """Shows each source: up to when all was read, how long ago that is, and what its cursor holds."""
    kept = _topic(config_file).read()
    rows = [_row(name, kept.get(name, Kept(name, {}))) for name in sorted({*SOURCES, *kept})]
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        Console().print(_table(rows))


@app.command("set")
def set_(
    source: Source,
    at: Annotated[str, typer.Argument(metavar="TIME", help="ISO 8601 or a date; UTC if it has no zone.")],
    yes: Yes = False,
    config_file: ConfigFile = None,
) -> None:
    """Sends a source to a time, before or after the one that it has reached; the next round begins there.

    A running bridge need not be stopped: the round under way ends, and the next one begins at the new place.
    """
    stream = _stream(source)
    if stream.moved is None:
        raise ConfigError(
            f"{source} reads a whole list each time, and begins at no time; use `cursors reset`"
        )
    to = moment(at, "TIME").ms
    if to > time.time() * 1000:
        raise ConfigError(f"TIME: {Moment(to)} is in the future; {source} would read nothing until then")
    topic, moved = _topic(config_file), stream.moved

    def change(cursor: Cursor) -> Mapping[str, Json | None]:
        return moved(cursor, to)

    _write(topic, source, change, _moves(stream, change, _cursor(topic, source), to), yes)


@app.command()
def reset(source: Source, yes: Yes = False, config_file: ConfigFile = None) -> None:
    """Makes a source forget all, so that its next round is as its first.

    A running bridge need not be stopped: the round under way ends, and the next one is the first again.
    """
    stream, topic = _stream(source), _topic(config_file)
    if not (cursor := _cursor(topic, source)):
        typer.echo(f"{source} has no cursor; nothing to do")
        return
    _write(topic, source, dict.fromkeys, _forgets(stream, cursor), yes)


def _moves(stream: SourceStream, change: Change, cursor: Cursor, to: int) -> str:
    """What a new position means, in words."""
    kept = len(cursor.keys() - change(cursor).keys())
    position = stream.position(cursor)
    if position is None:
        return f"{stream.name} has no position yet; it will begin at {Moment(to)}"
    way = f"from {Moment(position)} to {Moment(to)}"
    if to > position:
        known = f"; the {kept} that it remembers are followed as before" if kept else ""
        return f"{stream.name} jumps {way}: what happened between is never read{known}"
    known = f", but for the {kept} that it remembers: of these only changes go out" if kept else ""
    return (
        f"{stream.name} goes back {way}: what happened since then, as far as the API still has it, is read "
        f"again and goes out once more{known}"
    )


def _forgets(stream: SourceStream, cursor: Cursor) -> str:
    """What a cursor that is lost means, in words."""
    entries = f"{stream.name} forgets its {len(cursor)} entries"
    if stream.moved is None:
        return (
            f"{entries}: with the next round all records go out once more, and what is gone by then gets no "
            "record that says so"
        )
    position = stream.position(cursor)
    reached = "nobody knows when" if position is None else Moment(position)
    return (
        f"{entries} and begins where its settings say (sources.{stream.name}). It has read up to {reached}: "
        f"what happened from that beginning until then goes out once more; if it begins later, what happened "
        "between is never read"
    )


def _write(topic: CursorTopic, source: str, change: Change, means: str, yes: bool) -> None:
    typer.echo(means, err=True)
    if not yes:
        typer.confirm("Do it?", abort=True, err=True)
    # Only now, so that a running bridge is not kept from its work by a question that nobody answers.
    cursor = topic.take_over(source)
    try:
        error = topic.write(source, [], change(cursor))
    except Fenced:
        error = "a running bridge took over at the same moment"
    if error is not None:
        raise BridgeError(f"the cursor of {source} is as it was: {error}; try again")
    typer.echo(f"done; {source} begins there with its next round")


def _stream(source: str) -> SourceStream:
    if source not in SOURCES:
        raise ConfigError(f"{source!r} is no source; the sources are {', '.join(SOURCES)}")
    return SOURCES[source]


def _topic(config_file: Path | None) -> CursorTopic:
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    return wiring.cursor_topic(settings)


def _cursor(topic: CursorTopic, source: str) -> dict[str, Json]:
    return topic.read().get(source, Kept(source, {})).cursor()


def _row(name: str, kept: Kept) -> dict[str, Any]:
    """`age_seconds` is how long ago the position is."""
    position = SOURCES[name].position(kept.cursor()) if name in SOURCES else None
    return {
        "source": name,
        "position": None if position is None else str(Moment(position)),
        "age_seconds": None if position is None else round(time.time() - position / 1000),
        "entries": len(kept.values),
        "partitions": sorted(kept.partitions),
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in ("source", "read up to", "ago", "entries", "partition"):
        table.add_column(column, overflow="fold")
    for row in rows:
        age = row["age_seconds"]
        table.add_row(
            escape(row["source"]),
            row["position"] or "",
            "" if age is None else _span(age),
            str(row["entries"]),
            ", ".join(map(str, row["partitions"])),
        )
    return table


def _span(seconds: float) -> str:
    """A length of time in the largest unit that it has two of, as `90 min`."""
    for unit, length in _UNITS.items():
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
