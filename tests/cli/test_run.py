"""`productiv-bridge run` ends when it is told to, whatever its threads wait for."""

import subprocess
import sys

WAITS_FOR_EVER = """
import asyncio, threading
from bridge import wiring
from bridge.cli import main

async def run(settings, stop, only):
    async with asyncio.TaskGroup() as tasks:
        waiting = threading.Event()
        tasks.create_task(asyncio.to_thread(lambda: (waiting.set(), threading.Event().wait())))
        await asyncio.to_thread(waiting.wait)
        raise TimeoutError

wiring.run = run
main()
"""


def test_a_thread_that_waits_for_ever_does_not_keep_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WAITS_FOR_EVER, "run"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "shutdown_deadline_passed" in ended.stderr
