"""`productiv-bridge tail`: the records that sources wrote, decoded."""

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge import config, wiring
from bridge.cli.plain import TOO_DEEP
from bridge.core.errors import ConfigError
from bridge.core.json_text import json_text
from bridge.export.moment import Moment
from bridge.kafka.headers import all_headers
from bridge.kafka.range_reader import range_consumer
from bridge.kafka.refusal import Refusal
from bridge.kafka.serde import Wire
from bridge.kafka.tail import Tail
from bridge.telemetry import logs


def tail(
    output: Annotated[str, typer.Argument(help="What sources write, such as audit_events or apps.")],
    records: Annotated[int, typer.Option("--records", "-n", min=1, help="How many of the newest.")] = 10,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="All that the topic has instead, by partition.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    headers: Annotated[
        bool, typer.Option("--headers", help="Also the headers: source, window, when it was asked for.")
    ] = False,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML file; else the one named by BRIDGE_CONFIG, if any."),
    ] = None,
) -> None:
    """Prints records of a topic that a source fills, one JSON object a line, the newest last.

    `time` is the Kafka timestamp: when the thing happened. A record of what is gone has `"deleted": true`.
    Only committed records are read; no consumer group takes part.
    """
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    topics = wiring.output_topics(settings)
    if output not in topics:
        raise ConfigError(f"{output!r} is nothing that a source writes; that is {', '.join(topics)}")
    wire = wiring.output_wire(settings, topics[output])
    group = f"{settings.kafka.group_prefix}.tail"  # never joined
    with closing(range_consumer(settings.kafka.client_settings(), group)) as consumer:
        read = Tail(consumer, topics[output].topic)
        found: Iterator[Any] = read.all() if from_beginning else iter(read.newest(records))
        with suppress(KeyboardInterrupt):
            for message in chain(found, read.coming() if follow else ()):
                typer.echo(_line(_told(message, wire, headers)))


def _line(told: dict[str, Any]) -> bytes:
    try:
        return json_text(told)
    except TypeError:  # a record that was read may yet be nested too deeply to be written
        return json_text({**told, "record": TOO_DEEP})


def _told(message: Any, wire: Wire, headers: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"key": _text(message.key()), "time": str(Moment(message.timestamp()[1]))}
    if headers:
        told["headers"] = {name: _text(value) for name, value in all_headers(message)}
    if (value := message.value()) is None:
        return {**told, "deleted": True}
    try:
        return {**told, "record": wire.read_one(message, value)}
    except Refusal as refusal:
        return {**told, "unreadable": refusal.detail}


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")
