"""`dlq replay` and `dlq discard`: first what would happen is shown, then it is done, each letter once."""

from typing import Annotated

import typer

from bridge.cli.dlq.options import (
    AppNames,
    Begin,
    End,
    Every,
    Offsets,
    Reasons,
    Stream,
    Yes,
    choice,
    decided,
    desk,
)
from bridge.cli.dlq.work import Work
from bridge.cli.run import ConfigFile
from bridge.kafka.avro_schema import load_schema
from bridge.kafka.decisions import Status
from bridge.kafka.fix_up import FixUp, read_edits
from bridge.kafka.replay import Returns
from bridge.streams import SINKS
from bridge.wiring import DeadLetterDesk


def replay(
    stream: Stream,
    reason: Reasons = None,
    about: AppNames = None,
    begin: Begin = None,
    end: End = None,
    offset: Offsets = None,
    every: Every = False,
    told: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Mend: give a field this value; repeatable."),
    ] = None,
    renamed: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="OLD=NEW", help="Mend: give a field another name; repeatable."),
    ] = None,
    dropped: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="FIELD", help="Mend: take a field out; repeatable."),
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Records a second, at most.", min=1)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    yes: Yes = False,
    config_file: ConfigFile = None,
) -> None:
    """Puts dead letters back on the stream's own topic, each once: replaying them again does nothing.

    With --set, --rename or --drop the records are mended on the way, which is shown first. Those that cannot
    be read, or would be refused again, are named and left. The exit code is 0 only if none was left.
    """
    wanted = decided(choice(reason, about, begin, end, offset), every)
    with desk(stream, config_file) as opened:
        fix_up = _fix_up(opened, renamed or [], dropped or [], told or [])
        topic = opened.topic.topic
        work = Work(opened, wanted, Status.REPLAYED, Returns(topic, opened.box.partitions(), fix_up))
        work.preview()
        if SINKS[stream].ordered and work.ready:
            work.say(
                f"{stream} keeps the last word of each key: what is replayed counts as newer than all that "
                "came since"
            )
        work.carry_out(f"to {topic}", yes=yes, dry_run=dry_run, rate=rate)
    raise typer.Exit(1 if work.left else 0)


def discard(
    stream: Stream,
    why: Annotated[str, typer.Option(help="Why, for whoever looks later.")],
    reason: Reasons = None,
    about: AppNames = None,
    begin: Begin = None,
    end: End = None,
    offset: Offsets = None,
    every: Every = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    yes: Yes = False,
    config_file: ConfigFile = None,
) -> None:
    """Declares that nobody needs these dead letters, so that they no longer count as waiting."""
    wanted = decided(choice(reason, about, begin, end, offset), every)
    with desk(stream, config_file) as opened:
        work = Work(opened, wanted, Status.DISCARDED, None)
        work.preview()
        work.carry_out("for good", yes=yes, dry_run=dry_run, why=why)


def _fix_up(opened: DeadLetterDesk, renamed: list[str], dropped: list[str], told: list[str]) -> FixUp | None:
    topic = opened.topic
    fields = {*SINKS[topic.stream].record.__annotations__}
    if topic.app.from_ == "field" and topic.app.name:
        fields.add(topic.app.name)
    edits = read_edits(renamed, dropped, told, load_schema(topic.schema_path), fields)
    return opened.fix_up(edits) if edits else None
