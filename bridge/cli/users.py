"""`productiv-bridge users`: what the topic says of an app's users, and what the API holds of them."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bridge import config, wiring
from bridge.core.errors import BridgeError
from bridge.reconcile.connect import app_id
from bridge.reconcile.objection import Allowance
from bridge.reconcile.plan import Tally
from bridge.reconcile.reconciler import Comparison
from bridge.streams.users import USERS
from bridge.telemetry import logs

app = typer.Typer(
    help="Compare an app's users on the topic with those at Productiv, and make them the same.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

App = Annotated[str, typer.Argument(metavar="APP", help="Name of an app in apps.names, or Productiv app id.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file; else the one named by BRIDGE_CONFIG, if any."),
]
Listing = Annotated[bool, typer.Option("--list", help="Also name the people, by e-mail address.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

MARKS = {"adds": "+", "changes": "~", "leavers": "-"}


@app.command("diff")
def diff(app: App, config_file: ConfigFile = None, listing: Listing = False, as_json: AsJson = False) -> None:
    """Show what the topic says against what the API holds; changes nothing.

    The exit code is 0 if they are equal, 1 if they differ, and 2 if that could not be found out.
    """
    settings = _settings(config_file)
    comparison, _ = asyncio.run(_work(settings, app, _share(settings, None, None), apply=False))
    _print(comparison, None, listing, as_json)
    if comparison.objection is not None:
        typer.echo(f"reconcile would refuse: {comparison.objection.sentence}", err=True)
    raise typer.Exit(1 if comparison.found else 0)


@app.command("reconcile")
def reconcile(
    app: App,
    config_file: ConfigFile = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this, only show it.")] = False,
    max_deletions: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Refuse to delete more than this share of the users at the API; else "
            "reconcile.max_deletions_share.",
            min=0,
            max=1,
        ),
    ] = None,
    delete: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Delete exactly so many users, whatever share that is, or refuse.", min=0
        ),
    ] = None,
    listing: Listing = False,
    as_json: AsJson = False,
) -> None:
    """Make the API hold what the topic says: add, change, and delete leavers. A dry run without --apply.

    Refuses when the topic side is empty, truncated or partly unreadable, or when more would be deleted than
    is allowed. The exit code is 0 if the two are equal or were made so, 1 if they differ (dry run) or the
    API rejected some records, and 2 if it was refused or went wrong.
    """
    settings = _settings(config_file)
    allowed = _share(settings, max_deletions, delete)
    comparison, tally = asyncio.run(_work(settings, app, allowed, apply))
    _print(comparison, tally, listing, as_json)
    if comparison.objection is not None:
        raise BridgeError(f"refused: {comparison.objection.sentence}")
    if tally is None:
        if comparison.found and not as_json:
            typer.echo("This was a dry run; --apply does it.")
        raise typer.Exit(1 if comparison.found else 0)
    raise typer.Exit(1 if tally.rejected else 0)


def _settings(config_file: Path | None) -> config.Settings:
    settings = config.load(config_file, os.environ)
    logs.configure("console", "warning")  # so that a long wait says what it waits for
    return settings


def _share(settings: config.Settings, share: float | None, number: int | None) -> Allowance:
    return Allowance(settings.reconcile.max_deletions_share if share is None else share, number)


async def _work(
    settings: config.Settings, name: str, allowed: Allowance, apply: bool
) -> tuple[Comparison, Tally | None]:
    app = app_id(settings, name)
    with Console(stderr=True).status("reading topic and API"):
        async with wiring.reconciler(settings, USERS.name, app) as reconciler:
            comparison = await reconciler.compare(app, allowed)
            if not apply or comparison.objection is not None:
                return comparison, None
            return comparison, await reconciler.apply(comparison)


def _print(comparison: Comparison, tally: Tally | None, listing: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_document(comparison, tally, listing)))
        return
    counts = comparison.found.counts
    typer.echo(
        f"app {comparison.app}: {comparison.wanted:,} users on the topic, {comparison.held:,} at the API"
    )
    typer.echo(f"{counts['adds']:,} adds, {counts['changes']:,} changes, {counts['leavers']:,} leavers")
    if listing:
        for line in _lines(comparison):
            typer.echo(line)
    if tally is not None:
        typer.echo(_summary(tally))


def _document(comparison: Comparison, tally: Tally | None, listing: bool) -> dict[str, object]:
    against = comparison.objection
    document: dict[str, object] = {
        "app": comparison.app,
        "topic_users": comparison.wanted,
        "api_users": comparison.held,
        **comparison.found.counts,
        "refused": against and {"reason": against.reason, "detail": against.sentence},
    }
    if listing:
        document["list"] = {kind: sorted(getattr(comparison.found, kind)) for kind in MARKS}
    if tally is not None:
        document["applied"] = {
            "posted": tally.posted,
            "deleted": tally.deleted,
            "overtaken": tally.overtaken,
            "repeated": tally.repeated,
            "rejected": tally.rejected,
        }
    return document


def _lines(comparison: Comparison) -> Iterator[str]:
    for kind, mark in MARKS.items():
        yield from (f"{mark} {who}" for who in sorted(getattr(comparison.found, kind)))


def _summary(tally: Tally) -> str:
    parts = [f"posted: {tally.posted:,}; deleted: {tally.deleted:,}"]
    if tally.overtaken:
        parts.append(f"left to the sink, as the topic says something newer: {tally.overtaken:,}")
    if tally.rejected:
        parts.append(f"rejected by the API: {tally.rejected:,} ({tally.reason})")
    return "; ".join(parts)
