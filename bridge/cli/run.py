"""`productiv-bridge run`: the bridge itself, until it is told to stop."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop

from bridge import config, wiring
from bridge.kafka.lifeline import ClientLost
from bridge.telemetry import logs

log = structlog.get_logger(__name__)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file; else the one named by BRIDGE_CONFIG, if any."),
]


def run(
    config_file: ConfigFile = None,
    only: Annotated[list[str] | None, typer.Option(help="Run only this stream; may be repeated.")] = None,
    once: Annotated[
        bool, typer.Option("--once", help="One round of each source, then end; for cron. Sinks do not run.")
    ] = False,
) -> None:
    """Runs the bridge until SIGTERM or Ctrl-C, then settles what is in flight and leaves its groups.

    With --once the exit code is 1 if a round did not come to its end.
    """
    settings = config.load(config_file, os.environ)
    logs.configure(settings.log.format, settings.log.level, settings.log.repeat_seconds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            code = 0 if runner.run(_until_told(settings, only or [], once)) else 1
        except* TimeoutError:
            log.exception("shutdown_deadline_passed")
            code = 1
        except* ClientLost:
            # In place, so that nobody is needed to do it.
            log.warning("starting_anew")
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606  # the command that is running
        # Before the runner is closed, which waits for its threads: one may wait for a Kafka that is away.
        # What it holds was not committed, so it is read again.
        os._exit(code)


async def _until_told(settings: config.Settings, only: list[str], once: bool) -> bool:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if once:
        return await wiring.poll_once(settings, stop, only)
    await wiring.run(settings, stop, only)
    return True
