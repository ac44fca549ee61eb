"""`productiv-bridge resume`: lets streams go on that the flood guard has stopped."""

import os
from typing import Annotated

import typer

from bridge import config, wiring
from bridge.cli.run import ConfigFile
from bridge.core.errors import ConfigError
from bridge.streams import SINKS
from bridge.telemetry import logs


def resume(
    stream: Annotated[
        list[str] | None, typer.Argument(metavar="[STREAM]...", help="Streams to the API, such as usage.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All streams to the API.")] = False,
    reason: Annotated[str, typer.Option(help="Why, or who says so, for whoever looks later.")] = "",
    config_file: ConfigFile = None,
) -> None:
    """Lets streams go on that the flood guard has stopped, in all processes and without a restart.

    What the API had refused is sent once more and what could not be read is read once more, so mend the cause
    before. The guard counts anew and may stop the stream again.
    """
    if bool(stream) == every:
        raise ConfigError("say which streams, or --all")
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    names = list(SINKS) if every else stream or []
    wiring.order_resume(settings, names, reason)
    typer.echo(
        f"ordered for {', '.join(names)}, in topic {settings.kafka.decisions_topic}\n"
        "Which processes hear it cannot be seen from here. Each that is stopped now goes on within some 10 "
        "seconds: its log says flood_guard_reset, its bridge_flood_guard_tripped falls to 0, and its /readyz "
        "names the flood guard no more. One that stops again needs a new order; its log says why."
    )
