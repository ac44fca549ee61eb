"""`productiv-bridge topics`: the topics that the bridge needs, compared with those that there are."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bridge import config, wiring
from bridge.core.errors import ConfigError
from bridge.kafka.topic_plan import Planned
from bridge.telemetry import logs

app = typer.Typer(
    no_args_is_help=True,
    help="The topics that the bridge needs: plan, apply.",
    pretty_exceptions_show_locals=False,
)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file; else the one named by BRIDGE_CONFIG, if any."),
]
Only = Annotated[list[str] | None, typer.Option(help="Only the topics of this stream; may be repeated.")]
Partitions = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=NUMBER",
        help="Partitions of the topic that this file in topics/ is about; may be repeated.",
    ),
]


@app.command()
def plan(only: Only = None, partitions: Partitions = None, config_file: ConfigFile = None) -> None:
    """Shows which topics are missing, and in what others differ from topics/*.yaml and the configuration.

    The exit code is 0 if all are there as described, 1 if not.
    """
    settings = _settings(config_file)
    planned = wiring.plan_topics(settings, wiring.needed_topics(settings, only or [], _numbers(partitions)))
    _show(planned)
    raise typer.Exit(0 if all(each.exists and not each.differences for each in planned) else 1)


@app.command()
def apply(only: Only = None, partitions: Partitions = None, config_file: ConfigFile = None) -> None:
    """Shows the plan and creates the topics that are missing. Those that there are stay as they are.

    Partitions are never added: keys would move to others, and with them goes the order of their records.
    """
    settings = _settings(config_file)
    wanted = wiring.needed_topics(settings, only or [], _numbers(partitions))
    _show(wiring.plan_topics(settings, wanted))
    created = wiring.create_planned(settings, wanted)
    typer.echo(f"created {len(created)} of {len(wanted)} topics")


def _settings(config_file: Path | None) -> config.Settings:
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    return settings


def _numbers(partitions: list[str] | None) -> dict[str, int]:
    told = {}
    for each in partitions or []:
        name, _, number = each.partition("=")
        if not number.isdecimal() or int(number) == 0:
            raise ConfigError(f"--partitions {each}: write it as NAME=NUMBER, such as usage=12")
        told[name] = int(number)
    return told


def _show(planned: Sequence[Planned]) -> None:
    width = max(len(each.name) for each in planned)
    for each in planned:
        if not each.exists:
            state = f"missing, to get {each.partitions} partition{'s' * (each.partitions != 1)}"
        else:
            state = "; ".join(each.differences) or "as described"
        typer.echo(f"{each.name:{width}}  {state}")
