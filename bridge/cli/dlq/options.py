"""What the commands about dead letters are told, and the desk that they work at."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bridge import config, wiring
from bridge.core.errors import ConfigError
from bridge.export.moment import moment
from bridge.kafka.choice import Choice, place
from bridge.telemetry import logs
from bridge.wiring import DeadLetterDesk

Stream = Annotated[str, typer.Argument(help="Stream whose dead letters are meant, such as usage.")]
Reasons = Annotated[
    list[str] | None, typer.Option("--reason", help="Only with this reason, as `list` shows it; repeatable.")
]
AppNames = Annotated[
    list[str] | None, typer.Option("--app", help="Only about this app, by name or app id; repeatable.")
]
Begin = Annotated[
    str | None, typer.Option("--from", help="Only put aside then or later: ISO 8601, UTC if it has no zone.")
]
End = Annotated[str | None, typer.Option("--to", help="Only put aside before, written likewise.")]
Offsets = Annotated[
    list[str] | None,
    typer.Option(
        "--offset", help="Only there on the dead-letter topic: 0:17, or 0:17-42 for a range; repeatable."
    ),
]
Every = Annotated[bool, typer.Option("--all", help="All that wait, where nothing else says which.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def choice(
    reasons: list[str] | None,
    apps: list[str] | None,
    begin: str | None,
    end: str | None,
    offsets: list[str] | None,
) -> Choice:
    """The letters that the options mean.

    Raises:
        ConfigError: a time or a place is none.
    """
    return Choice(
        frozenset(reasons or ()),
        frozenset(apps or ()),
        moment(begin, "--from").ms if begin is not None else None,
        moment(end, "--to").ms if end is not None else None,
        tuple(place(text) for text in offsets or ()),
    )


def decided(wanted: Choice, every: bool) -> Choice:
    """The same, for what cannot be taken back: all letters must be asked for by name.

    Raises:
        ConfigError: neither or both of options and `--all` are given.
    """
    if every == (wanted != Choice()):
        raise ConfigError("say which dead letters: --reason, --app, --from, --to or --offset, or --all")
    return wanted


def load(config_file: Path | None) -> config.Settings:
    """The settings, with the ids of registered applications.

    Raises:
        BridgeError: they are wrong, or Kafka does not answer.
    """
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    return asyncio.run(wiring.with_app_ids(settings))


@contextmanager
def desk(stream: str, config_file: Path | None) -> Iterator[DeadLetterDesk]:
    """The dead letters of a stream for as long as the block lasts.

    Raises:
        BridgeError: something is wrong with the configuration, a topic or a schema, or Kafka is away.
    """
    with wiring.dead_letter_desk(load(config_file), stream) as opened:
        yield opened
