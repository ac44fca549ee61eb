"""`productiv-bridge demo`: the whole arc on one machine, without Docker or an account."""

import asyncio
import json
import signal
from dataclasses import asdict
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from bridge.demo import balance, holdings
from bridge.demo.show import Books, Script, show
from bridge.telemetry import logs


def demo(
    duration: Annotated[float, typer.Option(help="Seconds to run; 0 = until Ctrl-C.", min=0)] = 30,
    events: Annotated[
        int | None,
        typer.Option(help="Records to produce for each stream; else as many as time allows.", min=1),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides sample records and faults.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the balance sheet as one JSON object on the last line.")
    ] = False,
) -> None:
    """Runs embedded Kafka, a sandbox Productiv, sample producers and the bridge, and balances the books.

    The exit code is 0 only if every record produced was delivered or dead-lettered, and all that the sandbox
    holds is on the topics, once.
    """
    logs.configure("console", "error")
    console = Console(stderr=as_json)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        books = runner.run(_until_told(Script(duration, events, seed), console))
    console.print("\n", balance.table(books.sinks), holdings.table(books.sources))
    if as_json:
        sinks = {stream: asdict(sheet) for stream, sheet in books.sinks.items()}
        sources = {stream: asdict(each) for stream, each in books.sources.items()}
        typer.echo(json.dumps({"balanced": books.balanced, "sinks": sinks, "sources": sources}))
    raise typer.Exit(0 if books.balanced else 1)


async def _until_told(script: Script, console: Console) -> Books:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await show(script, console, stop)
