"""The supervisor of several workers. These are small processes here, each of which does as its test says."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from bridge import config, wiring
from bridge.core.backoff import Backoff
from bridge.core.errors import BridgeError
from bridge.telemetry.health import Pulse, health_app, served
from tests.flows.process import PATIENCE
from tests.telemetry.asking import asked

pytestmark = pytest.mark.anyio

AT_ONCE = Backoff(0.01, 0.01)
Logged = list[MutableMapping[str, Any]]

# `told` is where a worker tells that it works; `runs`, how often one with its number ran before.
BEGIN = """
import os, signal, sys, time
number, folder = int(sys.argv[-1]), sys.argv[1]
told = os.fdopen(0, "wb", buffering=0, closefd=False)
with open(f"{folder}/{number}", "a+b") as file:
    runs = file.tell()
    file.write(b".")
"""
IN_ORDER = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
WORKS = """
told.write(b'\\n')
open(f"{folder}/{number}-works", "w")
os.read(0, 1)  # until the supervisor is gone, also after a test that failed
"""


class Supervisor:
    """`supervise` at work in this loop, and what it logs."""

    def __init__(self, folder: Path, logged: Logged) -> None:
        self.stop = asyncio.Event()
        self._folder = folder
        self._logged = logged

    def begin(
        self, script: str, count: int = 2, backoff: Backoff = AT_ONCE, **settings: Any
    ) -> "asyncio.Task[int]":
        """Starts it with workers that run this."""
        chosen = config.Settings.model_validate({"http": {"enabled": False}, **settings})
        command = [sys.executable, "-S", "-c", BEGIN + script, str(self._folder)]
        return asyncio.create_task(
            wiring.supervise(chosen, command, count, self.stop, backoff, kill_seconds=0.1)
        )

    def logged(self, event: str) -> Logged:
        """The lines of this event."""
        return [line for line in self._logged if line["event"] == event]

    def works(self, number: int) -> bool:
        """Whether a worker has come to its work, once at least."""
        return (self._folder / f"{number}-works").exists()

    def pids(self, number: int) -> list[int]:
        """The processes that a worker has been, the newest last."""
        return [line["pid"] for line in self.logged("worker_started") if line["worker"] == number]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with capture_logs() as logged:
        yield Supervisor(tmp_path, logged)


async def until(holds: Callable[[], object]) -> None:
    """Waits until it holds."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  # nothing here is told of what they do
            await asyncio.sleep(0.01)


async def test_the_others_begin_once_the_first_works(supervisor: Supervisor, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    ended = supervisor.begin(f"if number == 0: open({str(gate)!r}).read()\n" + IN_ORDER + WORKS, count=3)
    with await asyncio.to_thread(gate.open, "w"):  # it is there, and waits
        assert [line["worker"] for line in supervisor.logged("worker_started")] == [0]
    await until(lambda: len(supervisor.logged("worker_started")) == 3)
    supervisor.stop.set()
    await ended


async def test_all_end_in_order(supervisor: Supervisor) -> None:
    ended = supervisor.begin(IN_ORDER + WORKS)
    await until(lambda: supervisor.works(1))
    supervisor.stop.set()
    assert await ended == 0
    assert supervisor.logged("stopped")
    assert not supervisor.logged("worker_ended")


async def test_who_has_just_begun_may_end_at_once(supervisor: Supervisor) -> None:
    """It does not know SIGTERM yet, and the others never began."""
    ended = supervisor.begin("os.read(0, 1)\n")
    await until(lambda: supervisor.pids(0))
    supervisor.stop.set()
    assert await ended == 0
    assert not supervisor.pids(1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told by somebody else"])
async def test_who_ends_is_started_again_and_the_others_go_on(
    supervisor: Supervisor, number: signal.Signals
) -> None:
    ended = supervisor.begin(IN_ORDER + WORKS)
    await until(lambda: supervisor.works(1))
    os.kill(supervisor.pids(1)[0], number)
    await until(lambda: len(supervisor.pids(1)) == 2)
    assert len(supervisor.pids(0)) == 1
    [line] = supervisor.logged("worker_ended")
    assert (line["worker"], line["code"] in (-number, 0)) == (1, True)
    supervisor.stop.set()
    assert await ended == 0


async def test_who_ends_again_and_again_is_started_ever_later(supervisor: Supervisor) -> None:
    ended = supervisor.begin("sys.exit(1)\n", backoff=Backoff(0.02, 0.1))
    await until(lambda: len(supervisor.logged("worker_ended")) == 5)
    supervisor.stop.set()
    await ended
    waits = [line["seconds"] for line in supervisor.logged("worker_ended")]
    for wait, most in zip(waits, (0.02, 0.04, 0.08, 0.1, 0.1), strict=False):
        assert most / 2 <= wait <= most


@pytest.mark.parametrize("who", [0, 1])
async def test_who_refuses_its_configuration_ends_all(supervisor: Supervisor, who: int) -> None:
    ended = supervisor.begin(f"if number == {who}: sys.exit(2)\n" + IN_ORDER + WORKS)
    assert await ended == 2
    assert len(supervisor.pids(who)) == 1


async def test_who_has_worked_may_fail_to_start_and_is_tried_again(supervisor: Supervisor) -> None:
    """As while Kafka is away."""
    script = """
if number == 1 and runs == 0: told.write(b'\\n'); sys.exit(1)
if number == 1 and runs == 1: sys.exit(2)
"""
    ended = supervisor.begin(script + IN_ORDER + WORKS)
    await until(lambda: supervisor.works(1))
    assert len(supervisor.pids(1)) == 3
    assert [line["code"] for line in supervisor.logged("worker_ended")] == [1, 2]
    supervisor.stop.set()
    assert await ended == 0


async def test_who_does_not_end_in_time_is_killed(supervisor: Supervisor) -> None:
    script = "if number == 1: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    ended = supervisor.begin(script + WORKS, shutdown_deadline_seconds=0.1)
    await until(lambda: supervisor.works(1))
    supervisor.stop.set()
    code = await ended
    assert (code, len(supervisor.logged("workers_killed"))) == (1, 1)
    for pid in (supervisor.pids(0)[0], supervisor.pids(1)[0]):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_who_ends_too_late_by_its_own_account_is_told(supervisor: Supervisor) -> None:
    ended = supervisor.begin("signal.signal(signal.SIGTERM, lambda *_: sys.exit(number))\n" + WORKS)
    await until(lambda: supervisor.works(1))
    supervisor.stop.set()
    assert await ended == 1


async def test_its_port_asks_the_workers_where_they_are_now(supervisor: Supervisor) -> None:
    """One that starts anew in place, as when a Kafka client was lost, tells another address."""
    with worker_port(["before"]) as before, worker_port(["after"]) as after:
        script = f"""
told.write(b"{before}\\n")
signal.signal(signal.SIGUSR1, lambda *_: told.write(b"{after}\\n"))
"""
        ended = supervisor.begin(
            IN_ORDER + script + WORKS.replace("told", "0 and told"),
            count=1,
            backoff=Backoff(60, 60),
            http={"host": "127.0.0.1", "port": 0},
        )
        await until(lambda: supervisor.works(0))
        [line] = supervisor.logged("supervising")

        async def says(reason: str) -> None:
            said: Any = None
            async with asyncio.timeout(PATIENCE):
                while said != {"ready": False, "reasons": [f"worker 0: {reason}"]}:
                    _, said = await asyncio.to_thread(asked, f"{line['operations_port']}/readyz")

        await says("before")
        os.kill(supervisor.pids(0)[0], signal.SIGUSR1)
        await says("after")
        os.kill(supervisor.pids(0)[0], signal.SIGKILL)
        await says("does not work yet")
        supervisor.stop.set()
        await ended


async def test_a_port_that_is_taken_is_explained_before_anybody_begins(supervisor: Supervisor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BridgeError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*set http\.host"):
            await supervisor.begin(WORKS, http={"enabled": True, "host": "127.0.0.1", "port": port})
    assert not supervisor.pids(0)


@contextmanager
def worker_port(reasons: list[str]) -> Iterator[str]:
    """The operations port of a worker that is not ready for these reasons."""
    with served(health_app(CollectorRegistry(), Pulse(), lambda: reasons), "127.0.0.1", 0) as url:
        yield url


def test_workers_share_the_rate_and_have_ports_of_their_own() -> None:
    settings = config.Settings.model_validate(
        {"productiv": {"requests_per_second": 12, "replicas": 2}, "http": {"port": 9400}}
    )
    own = wiring.worker_settings(settings, 3)
    assert own.productiv.share(own.productiv.requests_per_second) == 2
    assert (own.http.host, own.http.port, own.http.enabled) == ("127.0.0.1", 0, True)
