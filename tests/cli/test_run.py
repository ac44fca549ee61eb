"""`productiv-bridge run` ends when it is told to, whatever its threads wait for; and may start anew."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WAITS_FOR_EVER = """
import asyncio, threading
from bridge import wiring
from bridge.cli import main

async def run(settings, stop, only):
    async with asyncio.TaskGroup() as tasks:
        waiting = threading.Event()
        job = tasks.create_task(asyncio.to_thread(lambda: (waiting.set(), threading.Event().wait())))
        await asyncio.to_thread(waiting.wait)
        END

wiring.run = run
main()
"""


@pytest.mark.parametrize(
    ("end", "code", "says"),
    [("raise TimeoutError", 1, "shutdown_deadline_passed"), ("job.cancel()", 0, "")],
    ids=["too late", "in order"],
)
def test_a_thread_that_waits_for_ever_does_not_keep_the_process(end: str, code: int, says: str) -> None:
    script = WAITS_FOR_EVER.replace("END", end)
    command = [sys.executable, "-c", script, "run"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == code, ended.stderr
    assert says in ended.stderr


LOSES_A_CLIENT_ONCE = """
import asyncio, os, pathlib, sys
from bridge import wiring
from bridge.cli import main
from bridge.kafka.lifeline import ClientLost

async def run(settings, stop, only):
    with runs.open("a") as file:
        print(os.getpid(), only, file=file)
    if len(runs.read_text().splitlines()) == 1:
        async with asyncio.TaskGroup():
            raise ClientLost

wiring.run = run
runs = pathlib.Path(sys.argv.pop())
main()
"""


def test_a_process_whose_kafka_client_is_lost_starts_anew_as_it_was_started(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    command = [sys.executable, "-c", LOSES_A_CLIENT_ONCE, "run", "--only", "usage", str(runs)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0
    assert "starting_anew" in ended.stderr
    first, second = runs.read_text().splitlines()
    assert first == second
    assert "usage" in first


EACH_LOSES_A_CLIENT_ONCE = """
import asyncio, os, pathlib, signal
from types import SimpleNamespace
from bridge import wiring
from bridge.cli import main
from bridge.kafka.lifeline import ClientLost

async def run(settings, stop, only, started):
    with runs.open("a") as file:
        print(os.getpid(), file=file)
    pids = runs.read_text().split()
    if pids.count(str(os.getpid())) == 1:
        async with asyncio.TaskGroup():
            raise ClientLost
    started(SimpleNamespace(operations_url=None))
    if len(pids) == 4:
        os.kill(os.getppid(), signal.SIGTERM)
    await stop.wait()

wiring.run = run
runs = pathlib.Path(os.environ["RUNS"])
main()
"""


def test_a_worker_whose_kafka_client_is_lost_starts_anew_and_keeps_its_supervisor(tmp_path: Path) -> None:
    """The second worker begins when the first works, which is in its second life."""
    runs = tmp_path / "runs"
    command = [sys.executable, "-c", EACH_LOSES_A_CLIENT_ONCE, "run", "--workers", "2"]
    env = os.environ | {"RUNS": str(runs), "BRIDGE_HTTP__ENABLED": "false"}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    first, again, second, anew = runs.read_text().split()
    assert (first, second) == (again, anew)
    assert ended.stderr.count("starting_anew") == 2
    assert "worker_ended" not in ended.stderr


def refused(*options: str, **environment: str) -> str:
    """What is said on standard error by a run that ends with exit code 2, log lines left out."""
    command = [sys.executable, "-m", "bridge", "run", *options]
    env = os.environ | {"BRIDGE_HTTP__HOST": "127.0.0.1", "BRIDGE_HTTP__PORT": "0"} | environment
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    assert not ended.stdout
    return "".join(line for line in ended.stderr.splitlines(True) if not line.startswith("{"))


def test_what_a_worker_refuses_is_told_once_and_as_by_one_process() -> None:
    told = refused("--workers", "3")
    assert "productiv.client_id" in told
    assert told == refused()


def test_several_workers_cannot_poll_once() -> None:
    assert refused("--workers", "2", "--once") == (
        "productiv-bridge: --once polls in one process; leave out --workers, or --once\n"
    )
