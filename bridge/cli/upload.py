"""`productiv-bridge upload`: batch files to Productiv, by signed addresses."""

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import random
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from bridge import config, wiring
from bridge.cli.run import ConfigFile
from bridge.core.errors import ConfigError
from bridge.productiv.storage import Storage
from bridge.telemetry import logs
from bridge.uploads.files import checked
from bridge.uploads.manifest import Manifest
from bridge.uploads.upload import Pace, Result, Target, Uploader

MANIFEST = "productiv-uploads.json"


def upload(
    app: Annotated[str, typer.Argument(help="Name of the application as on the topics, or its app id.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files; each goes by the last part of its name.")
    ],
    config_file: ConfigFile = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help=f"JSON file that remembers what was uploaded; else {MANIFEST} beside the first file."
        ),
    ] = None,
    at_once: Annotated[int, typer.Option(help="Files under way at once, at most.", min=1, max=64)] = 4,
    is_id: Annotated[
        bool, typer.Option("--id", help="APP is an app id; no name is looked for, and no Kafka is needed.")
    ] = False,
) -> None:
    """Uploads files to Productiv that the manifest does not hold as they are now.

    Run again after an interruption, it sends only what is missing or changed. The exit code is 1 if any file
    could not be sent.
    """
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    path = manifest or files[0].parent / MANIFEST
    by_name = checked(files, path)
    remembered = Manifest(path)
    console = Console(stderr=True)
    with _Bars(console, by_name) as bars:
        results = asyncio.run(_send(settings, app, is_id, by_name, remembered, at_once, bars))
    typer.echo(_summary(results))
    raise typer.Exit(1 if any(result.how == "failed" for result in results) else 0)


async def _send(
    settings: config.Settings,
    app: str,
    is_id: bool,
    files: Mapping[str, Path],
    manifest: Manifest,
    at_once: int,
    bars: "_Bars",
) -> list[Result]:
    app_id = app if is_id else await _app_id(settings, app)
    client_settings = wiring.client_settings(settings.productiv)
    async with wiring.questions(settings) as productiv, Storage(client_settings) as storage:
        uploader = Uploader(
            Target(api=settings.productiv.api_url, app=app_id),
            productiv,
            storage,
            manifest,
            Pace(at_once=at_once, draw=random, now=lambda: datetime.now(UTC)),
            bars.moved,
            bars.ended,
        )
        return await uploader.send(files)


async def _app_id(settings: config.Settings, app: str) -> str:
    """The id of an application: by the configuration, else by what was registered, else the name itself."""
    names = settings.apps.names
    if app not in names:
        names = (await wiring.with_app_ids(settings)).apps.names
    if app not in names and settings.apps.unknown == "dead_letter":
        raise ConfigError(
            f"no application is known as {app!r}; register it, or give its app id and the option --id"
        )
    return names.get(app, app)


class _Bars:
    """One bar over all files; what failed is told above it as it happens."""

    def __init__(self, console: Console, files: Mapping[str, Path]) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        times = (TransferSpeedColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, *times, console=console, transient=True)
        self._console = console
        self._done: dict[str, int] = {}
        self._ended = 0
        self._files = len(files)
        total = sum(path.stat().st_size for path in files.values())
        self._task = self._progress.add_task(self._title(), total=total)

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def moved(self, filename: str, done: int) -> None:
        """So many bytes of a file are done."""
        self._progress.advance(self._task, done - self._done.get(filename, 0))
        self._done[filename] = done

    def ended(self, result: Result) -> None:
        """A file is through, or has failed."""
        self._ended += 1
        self._progress.update(self._task, description=self._title())
        if result.how == "failed":
            line = f"{result.filename}: {result.reason}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _title(self) -> str:
        return f"{self._ended} of {self._files} files"


def _summary(results: list[Result]) -> str:
    count = {how: sum(result.how == how for result in results) for how in ("uploaded", "unchanged", "failed")}
    size = sum(result.size for result in results if result.how == "uploaded")
    parts = [f"uploaded: {count['uploaded']:,} ({size:,} bytes)"]
    if count["unchanged"]:
        parts.append(f"unchanged since the last upload: {count['unchanged']:,}")
    if count["failed"]:
        parts.append(f"failed: {count['failed']:,}")
    return "; ".join(parts)
