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
from bridge.core.errors import ConfigError
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
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that share the work; as many as cores use them all.")
    ] = 1,
    worker: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Runs the bridge until SIGTERM or Ctrl-C, then settles what is in flight and leaves its groups.

    With --once the exit code is 1 if a round did not come to its end.
    """
    settings = config.load(config_file, os.environ)
    logs.configure(settings.log.format, settings.log.level, settings.log.repeat_seconds, worker)
    if once and workers > 1:
        raise ConfigError("--once polls in one process; leave out --workers, or --once")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if workers > 1 and worker is None:
            raise typer.Exit(runner.run(_supervise(settings, workers)))
        try:
            code = 0 if runner.run(_until_told(settings, only or [], once, workers)) else 1
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


async def _supervise(settings: config.Settings, workers: int) -> int:
    command = [sys.executable, *sys.orig_argv[1:]]
    return await wiring.supervise(settings, command, workers, _told_to_stop())


async def _until_told(settings: config.Settings, only: list[str], once: bool, workers: int) -> bool:
    stop = _told_to_stop()
    if once:
        return await wiring.poll_once(settings, stop, only)
    if workers == 1:
        await wiring.run(settings, stop, only)
    else:
        wiring.end_with_supervisor(stop)
        await wiring.run(wiring.worker_settings(settings, workers), stop, only, wiring.tell_supervisor)
    return True


def _told_to_stop() -> asyncio.Event:
    """Set by SIGTERM and Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
