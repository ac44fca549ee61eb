"""`productiv-bridge config`: what is in force, what can be set, and a file to start from."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from bridge.config import Settings
from bridge.config.example import example
from bridge.config.layers import load_with_places
from bridge.config.show import show

app = typer.Typer(
    help="Show the configuration in force, its JSON Schema, or an example.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="YAML file with settings; without it $BRIDGE_CONFIG, if set."
    ),
]


@app.command("show")
def show_command(config: ConfigFile = None) -> None:
    """Print every setting in force and where it came from, secrets masked."""
    typer.echo(show(load_with_places(config, os.environ)), nl=False)


@app.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    typer.echo(json.dumps(Settings.model_json_schema(), indent=2))


@app.command("example")
def example_command() -> None:
    """Print a configuration file with every setting, its description and its default."""
    typer.echo(example(), nl=False)
