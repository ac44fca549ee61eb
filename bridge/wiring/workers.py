"""Several processes of the bridge on one machine, kept at work by one that does nothing else.

Python runs on one core, so as many workers as cores use them all. To Kafka and to the API they are replicas.
A worker is the same command once more, with its number. Its standard input is a socket whose other end the
supervisor holds: the worker writes a line there each time it has started, and ends when that end is gone.
"""

import asyncio
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress

import structlog

from bridge import config
from bridge.core.backoff import Backoff
from bridge.telemetry.combined import combined_app
from bridge.telemetry.health import served
from bridge.wiring.run import Running

log = structlog.get_logger(__name__)

REFUSED = 2
"""The exit code of a process that cannot work with its configuration, and has said why."""
BACKOFF = Backoff(2.0, 60.0)  # seconds until a worker that has ended is started again
STEADY_SECONDS = 60.0  # who lived for so long begins with the shortest wait
KILL_SECONDS = 3.0  # for who does not end within its own deadline


class Worker:
    """One worker, through as many processes as it takes."""

    def __init__(self, command: Sequence[str], number: int) -> None:
        self.number = number
        self.address: str | None = None
        """Its operations port; None while it does not work, or has none."""
        self.worked = asyncio.Event()
        """Set once it has worked."""
        self._command = (*command, "--worker", str(number))
        self._process: asyncio.subprocess.Process | None = None

    async def live(self, stop: asyncio.Event) -> int:
        """Runs one process from its start to its end; returns the exit code."""
        ours, theirs = socket.socketpair()
        with theirs:
            # In a session of its own, so that Ctrl-C comes to the supervisor alone, which tells it in order.
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=theirs.fileno(), start_new_session=True
            )
        log.info("worker_started", worker=self.number, pid=self._process.pid)
        if stop.is_set():  # meanwhile: whoever told all workers to end did not know of this one
            self.send(signal.SIGTERM)
        said, end = await asyncio.open_unix_connection(sock=ours)
        try:
            while line := await said.readline():  # again, if it starts anew in place
                self.address = line.decode().strip() or None
                self.worked.set()
            return await self._process.wait()
        finally:
            self.address = None
            end.close()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to its process, if there is one."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)


async def supervise(
    settings: config.Settings,
    command: Sequence[str],
    count: int,
    stop: asyncio.Event,
    backoff: Backoff = BACKOFF,
    kill_seconds: float = KILL_SECONDS,
) -> int:
    """Keeps so many workers at work, each by this command, until `stop`; returns the exit code.

    That is 0 if all ended in order and in time, 1 if not, and REFUSED if a worker refused its configuration.

    Raises:
        BridgeError: the operations port cannot be had.
    """
    workers = [Worker(command, number) for number in range(count)]
    first, http = workers[0], settings.http
    app = combined_app(lambda: {str(worker.number): worker.address for worker in workers})
    with served(app, http.host, http.port) if http.enabled else nullcontext() as url:
        log.info("supervising", operations_port=url, workers=count)
        async with asyncio.TaskGroup() as tasks:
            kept = [tasks.create_task(_keep(first, stop, backoff))]
            # The others find the topics that it has created, and the applications that it has registered.
            if await _first_of(first.worked, stop) is first.worked:
                kept += [tasks.create_task(_keep(worker, stop, backoff)) for worker in workers[1:]]
            await stop.wait()
            codes = await _end(workers, kept, settings.shutdown_deadline_seconds + kill_seconds)
    log.info("stopped")
    if REFUSED in codes:
        return REFUSED
    # A worker that has just been started does not know SIGTERM yet, and has done nothing.
    return 0 if codes <= {0, -signal.SIGTERM} else 1


async def _keep(worker: Worker, stop: asyncio.Event, backoff: Backoff) -> int:
    """Starts it again whenever it ends; returns the exit code of the last, once `stop` is set.

    One that ends by REFUSED before it has ever worked sets `stop`: its configuration is that of all. Later
    a start may also fail because Kafka is away, and those that are at work can wait for that.
    """
    failures = 0
    while True:
        began = time.monotonic()
        code = await worker.live(stop)
        if code == REFUSED and not worker.worked.is_set():
            stop.set()
        if stop.is_set():
            return code
        failures = 1 if time.monotonic() - began > STEADY_SECONDS else failures + 1
        seconds = backoff.wait(failures, random.random)
        log.error("worker_ended", worker=worker.number, code=code, seconds=round(seconds, 3))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
            return 0


async def _end(workers: Sequence[Worker], kept: Sequence[asyncio.Task[int]], seconds: float) -> set[int]:
    """Tells all to end, and kills who does not in time; returns the exit codes."""
    for worker in workers:
        worker.send(signal.SIGTERM)
    _, late = await asyncio.wait(kept, timeout=seconds)
    if late:
        log.error("workers_killed", seconds=seconds)
        for worker in workers:
            worker.send(signal.SIGKILL)
    return set(await asyncio.gather(*kept))


async def _first_of(*events: asyncio.Event) -> asyncio.Event:
    """Waits until one of them is set; returns it."""
    waits = {asyncio.ensure_future(event.wait()): event for event in events}
    done, waiting = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    return waits[done.pop()]


# -- what a worker does ------------------------------------------------------------------------------------


def worker_settings(settings: config.Settings, count: int) -> config.Settings:
    """What one of so many workers goes by: a share of the rates, and a port for the supervisor alone."""
    http, productiv = settings.http, settings.productiv
    return settings.model_copy(
        update={
            "http": http.model_copy(update={"host": "127.0.0.1", "port": 0}),
            "productiv": productiv.model_copy(update={"replicas": productiv.replicas * count}),
        }
    )


def tell_supervisor(running: Running) -> None:
    """Tells it that this worker works, and where it may be asked."""
    with suppress(OSError):  # it is gone, and so this worker will end
        os.write(sys.stdin.fileno(), f"{running.operations_url or ''}\n".encode())


def end_with_supervisor(stop: asyncio.Event) -> None:
    """Sets `stop` when the supervisor is gone, however it ended."""

    def gone() -> None:
        loop.remove_reader(sys.stdin)
        log.warning("supervisor_gone")
        stop.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, gone)
