"""The `productiv-bridge` command: every subcommand parses, calls the wiring, and gives an exit code."""

import sys
from typing import Annotated

import typer

from bridge import __version__
from bridge.cli.apps import app as apps_app
from bridge.cli.config import app as config_app
from bridge.cli.cursors import app as cursors_app
from bridge.cli.demo import demo
from bridge.cli.dlq import app as dlq_app
from bridge.cli.export import export
from bridge.cli.in_doubt import app as in_doubt_app
from bridge.cli.resume import resume
from bridge.cli.run import run
from bridge.cli.sandbox import sandbox
from bridge.cli.send import send
from bridge.cli.tail import tail
from bridge.cli.topics import app as topics_app
from bridge.cli.upload import upload
from bridge.cli.users import app as users_app
from bridge.core.errors import BridgeError

app = typer.Typer(
    name="productiv-bridge",
    help="Streams records from Kafka to the Productiv API, and what Productiv knows back onto Kafka.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run)
app.command()(demo)
app.command()(sandbox)
app.command()(send)
app.command()(upload)
app.command()(export)
app.command()(tail)
app.command()(resume)
app.add_typer(
    apps_app, name="apps", help="Register applications at Productiv and show what is known of them."
)
app.add_typer(config_app, name="config", help="Show the configuration and its schema.")
app.add_typer(users_app, name="users", help="Compare the users on the topic with those at Productiv.")
app.add_typer(dlq_app, name="dlq")
app.add_typer(in_doubt_app, name="in-doubt")
app.add_typer(cursors_app, name="cursors")
app.add_typer(topics_app, name="topics")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"productiv-bridge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Streams records from Kafka to the Productiv API, and what Productiv knows back onto Kafka."""


def main() -> None:
    """Runs the command; what a user can mend is told in a sentence on standard error, with exit code 2."""
    try:
        app()
    except BridgeError as error:
        typer.echo(f"productiv-bridge: {error}", err=True)
        sys.exit(2)
