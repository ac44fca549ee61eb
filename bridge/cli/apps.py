"""`productiv-bridge apps`: registers applications at Productiv, and shows what is known of them."""

import asyncio
import json
import os
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridge import config, wiring
from bridge.applications import Registration, chosen, overview
from bridge.cli.run import ConfigFile
from bridge.telemetry import logs

app = typer.Typer(
    help="Register applications at Productiv, and show what is known of them.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

_SAID = {
    "known": "is registered already",
    "found": "was at Productiv already; its id is remembered now",
    "registered": "is registered now",
}


@app.command("register")
def register_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Names as on the topics; else all that are configured."),
    ] = None,
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of lines.")] = False,
) -> None:
    """Registers applications that have no id yet; one that is known, or at Productiv by its name, is not."""
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    configured = {name: each.told() for name, each in settings.applications.items()}
    wanted = chosen(names or [], configured, settings.apps.names)
    done = asyncio.run(wiring.register_apps(settings, wanted))
    if as_json:
        typer.echo(json.dumps([{"name": each.name, "app_id": each.app_id, "how": each.how} for each in done]))
    else:
        for each in done:
            typer.echo(_sentence(each))


@app.command("list")
def list_command(
    config_file: ConfigFile = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the apps at Productiv that the bridge has no name for.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of a table.")] = False,
) -> None:
    """Shows the applications that are configured or registered, and what Productiv says of each."""
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    rows = asyncio.run(_rows(settings, everything))
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        Console().print(_table(rows))


async def _rows(settings: config.Settings, everything: bool) -> list[dict[str, Any]]:
    remembered = await asyncio.to_thread(wiring.remembered_apps(settings).read)
    async with wiring.questions(settings) as productiv:
        summaries = await productiv.summaries()
    configured = {name: each.told() for name, each in settings.applications.items()}
    return overview(configured, settings.apps.names, remembered, summaries, everything)


def _sentence(done: Registration) -> str:
    return f"{done.name} {_SAID[done.how]}: {done.app_id}"


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in ("name", "app id", "configured", "registered", "at Productiv", "vendor", "category"):
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = (
            row["name"],
            row["app_id"],
            "yes" if row["configured"] else "",
            row["registered_at"],
            row["status"],
            row["vendor"],
            row["category"],
        )
        table.add_row(*(_plain(cell) for cell in cells))
    return table


def _plain(cell: str | None) -> str:
    """What others wrote, without rich's markup taking effect."""
    return escape("".join(char if char.isprintable() else "�" for char in cell or ""))
