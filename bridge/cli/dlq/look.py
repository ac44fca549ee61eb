"""`dlq list` and `dlq show`."""

import base64
import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridge import wiring
from bridge.cli.dlq.options import AppNames, Begin, End, Offsets, Reasons, Stream, choice, desk, load
from bridge.cli.plain import json_line, plain
from bridge.cli.progress import counted
from bridge.cli.run import ConfigFile
from bridge.core.errors import BridgeError
from bridge.kafka.census import Census
from bridge.kafka.contents import Contents
from bridge.kafka.decisions import Status
from bridge.kafka.letters import Letter
from bridge.kafka.refusal import Refusal
from bridge.streams import SINKS
from bridge.wiring import DeadLetterDesk

COLUMNS = ("stream", "reason", "app", "records", "first", "last")


def list_(
    stream: Annotated[str | None, typer.Argument(help="One stream; else all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of a table.")] = False,
    config_file: ConfigFile = None,
) -> None:
    """Counts the dead letters that wait, by stream, reason and app, with the first and the last time."""
    settings = load(config_file)
    rows: list[dict[str, Any]] = []
    notes = []
    for name in [stream] if stream else SINKS:
        with wiring.dead_letter_desk(settings, name) as opened:
            try:
                census = _census(opened)
            except BridgeError as error:
                if stream:
                    raise
                notes.append(f"{name}: {error}")
                continue
        rows += _rows(name, census)
        notes.append(_note(name, census, opened.box.foreign))
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        Console().print(_table(rows))
    for note in notes:
        typer.echo(note, err=True)


def show(
    stream: Stream,
    reason: Reasons = None,
    about: AppNames = None,
    begin: Begin = None,
    end: End = None,
    offset: Offsets = None,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1)] = 20,
    decided: Annotated[
        bool, typer.Option("--all", help="Also those that were replayed or discarded.")
    ] = False,
    config_file: ConfigFile = None,
) -> None:
    """Shows dead letters as JSON, one a line: the record as far as it can be read, why, and from where.

    The records are shown as they are, people's data among it.
    """
    wanted = choice(reason, about, begin, end, offset)
    # A bar among lines on the same terminal would be torn.
    console = Console(stderr=True, quiet=sys.stdout.isatty())
    with desk(stream, config_file) as opened, counted(console, "reading", "offsets") as on_progress:
        ranges = wanted.ranges(opened.box)
        for letter in wanted.letters(opened.box, opened.contents, ranges, on_progress):
            if decided or letter.status is Status.WAITING:
                typer.echo(plain(json_line(_told(letter, opened.contents))))
                limit -= 1
                if not limit:
                    break


def _census(opened: DeadLetterDesk) -> Census:
    census = Census()
    with counted(Console(stderr=True), f"reading {opened.topic.stream}", "offsets") as on_progress:
        for letter in opened.box.read(opened.box.ranges(), on_progress):
            census.count(letter, opened.contents)
    return census


def _rows(stream: str, census: Census) -> list[dict[str, Any]]:
    return [
        {
            "stream": stream,
            "reason": reason,
            "app": app,
            "records": group.records,
            "first": _time(group.first),
            "last": _time(group.last),
        }
        for (reason, app), group in sorted(census.groups.items())
    ]


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in COLUMNS:
        table.add_column(
            column,
            justify="right" if column == "records" else "left",
            no_wrap=column != "app",
            overflow="fold",
        )
    for row in rows:
        table.add_row(
            *(escape(plain(f"{row[column]:,}" if column == "records" else row[column])) for column in COLUMNS)
        )
    return table


def _note(stream: str, census: Census, foreign: int) -> str:
    parts = [f"{stream}: waiting {census.statuses[Status.WAITING]:,}"]
    parts += [f"{each} {census.statuses[each]:,}" for each in (Status.REPLAYED, Status.DISCARDED)]
    if foreign:
        parts.append(f"from other topics, and left out {foreign:,}")
    return "; ".join(parts)


def _told(letter: Letter, contents: Contents) -> dict[str, Any]:
    told = letter.told
    return {
        "place": letter.place,
        "at": _time(letter.at),
        "status": letter.status,
        "reason": letter.reason,
        "detail": told.get("detail", ""),
        "app": contents.app(letter.message),
        "from": {"topic": told["topic"], **letter.origin._asdict()},
        "api": {name: told[name] for name in ("status", "response", "attempts", "batch") if name in told},
        **({"cut_from_bytes": told["value-bytes"]} if letter.cut else {}),
        "key": _text(letter.message.key()),
        **_content(letter, contents),
    }


def _content(letter: Letter, contents: Contents) -> dict[str, Any]:
    try:
        return {"record": contents.record(letter.message)}
    except Refusal:
        return {"value": _text(letter.message.value())}


def _text(held: bytes | None) -> Any:
    """Bytes as text, or where they are none as `{"base64": …}`."""
    if held is None:
        return None
    try:
        return held.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(held).decode()}


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
