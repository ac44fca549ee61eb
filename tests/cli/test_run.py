"""`productiv-bridge run` ends when it is told to, whatever its threads wait for; and may start anew."""

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
