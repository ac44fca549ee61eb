"""`productiv-bridge in-doubt`: records of which nobody knows whether the API took them."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bridge import config, wiring
from bridge.cli.plain import json_line
from bridge.core.errors import ConfigError
from bridge.kafka.in_doubt import DISCARDED, RESENT, Doubtful, InDoubt
from bridge.kafka.refusal import Refusal
from bridge.telemetry import logs

app = typer.Typer(
    no_args_is_help=True,
    help="Records of which nobody knows whether the API took them: list, show, resend, discard.",
)

Stream = Annotated[str, typer.Argument(help="Stream that must not be sent twice, such as spend.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file; else the one named by BRIDGE_CONFIG, if any."),
]
Batches = Annotated[
    list[str] | None, typer.Option("--batch", help="Id of a batch, as `list` shows it; may be repeated.")
]
All = Annotated[bool, typer.Option("--all", help="Every record in doubt of the stream.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list")
def list_(
    stream: Stream,
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a batch.")] = False,
) -> None:
    """Lists the batches in doubt, the oldest first: id, records, since when, and why."""
    with _in_doubt(stream, config_file) as (_, in_doubt):
        waiting = in_doubt.read()
    counts = Counter(one.batch for one in waiting)
    first = {one.batch: one for one in reversed(waiting)}
    for batch, one in sorted(first.items(), key=lambda item: item[1].since):
        told = {"batch": batch, "records": counts[batch], "since": _time(one.since), "why": one.why}
        if as_json:
            typer.echo(json.dumps(told))
        else:
            typer.echo(f"{batch}  {counts[batch]:>5} records  since {told['since']}  {one.why}")
    if not as_json:
        typer.echo(f"{len(waiting)} records in doubt")


@app.command()
def show(stream: Stream, batch: Batches = None, config_file: ConfigFile = None) -> None:
    """Shows the records as JSON, one a line, with batch and place on the topic; all, unless told which."""
    with _in_doubt(stream, config_file) as (settings, in_doubt):
        wire = wiring.wire(settings, wiring.sink_topics(settings, [stream])[stream])
        for one in in_doubt.read():
            if one.message is None or (batch and one.batch not in batch):
                continue
            try:
                record = wire.read_one(one.message, one.message.value() or b"")
            except Refusal as refusal:
                record = refusal.detail
            place = {"partition": one.place.partition, "offset": one.place.offset}
            told = {"batch": one.batch, **place, "record": record}
            typer.echo(json_line(told))


@app.command()
def resend(
    stream: Stream,
    batch: Batches = None,
    every: All = False,
    yes: Yes = False,
    config_file: ConfigFile = None,
) -> None:
    """Puts records in doubt back on the stream's topic, once: resending them again does nothing.

    If the API had taken them after all, they count twice there: look there before.
    """
    _resolve(stream, config_file, _chosen(batch, every), RESENT, "", yes)


@app.command()
def discard(
    stream: Stream,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks later.")],
    batch: Batches = None,
    every: All = False,
    yes: Yes = False,
    config_file: ConfigFile = None,
) -> None:
    """Declares records in doubt as settled: the API took them, or nobody needs them."""
    _resolve(stream, config_file, _chosen(batch, every), DISCARDED, reason, yes)


def _resolve(
    stream: str, config_file: Path | None, batches: set[str] | None, action: str, reason: str, yes: bool
) -> None:
    with _in_doubt(stream, config_file) as (settings, in_doubt):
        chosen = [one for one in in_doubt.read() if batches is None or one.batch in batches]
        if not chosen:
            typer.echo("no such records are in doubt; nothing to do")
            return
        typer.echo(f"{_will(action)}: {len(chosen)} records of {_batches(chosen)} batches", err=True)
        if not yes:
            typer.confirm("Do it?", abort=True, err=True)
        resolver = wiring.resolver(settings, stream)
        done = resolver.resolve(in_doubt, batches, action, reason, time.time)
    typer.echo(f"{action}: {done} records")


def _will(action: str) -> str:
    if action == RESENT:
        return "To be sent again, and counted twice if the API has them already"
    return "To be settled without being sent again"


def _batches(chosen: list[Doubtful]) -> int:
    return len({one.batch for one in chosen})


def _chosen(batches: list[str] | None, every: bool) -> set[str] | None:
    if bool(batches) == every:
        raise ConfigError("say which records: --batch ID, once or more, or --all")
    return None if every else set(batches or ())


@contextmanager
def _in_doubt(stream: str, config_file: Path | None) -> Iterator[tuple[config.Settings, InDoubt]]:
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    in_doubt = wiring.in_doubt(settings, stream, keep=True)
    try:
        yield settings, in_doubt
    finally:
        in_doubt.close()


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
