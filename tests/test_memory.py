"""A process of many threads gives back the memory that they have freed."""

import os
import subprocess
import sys
import textwrap

import pytest

THREADS, MIB = 16, 20
LIMIT = 160  # MiB: half of what they would keep, and twice what a process has that does nothing
SECONDS = 30

# Each thread in turn takes so much, pins what lies behind it, and frees the rest.
SCRIPT = f"""
    import asyncio
    from pathlib import Path
    from threading import Barrier, Lock, Thread

    from bridge.wiring.memory import give_back_memory

    turn, begun, done = Lock(), Barrier({THREADS}), Barrier({THREADS} + 1)
    pinned = []

    def work():
        begun.wait()
        with turn:
            blocks = [b"x" * 16_384 for _ in range({MIB} * 64)]
            pinned.append(b"x" * 16_384)
            del blocks
        done.wait()

    def resident():
        return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024

    async def wait_until_it_is_given_back():
        task = asyncio.create_task(give_back_memory(0))
        async with asyncio.timeout({SECONDS}):
            while resident() > {LIMIT}:
                await asyncio.sleep(0)
        task.cancel()

    for _ in range({THREADS}):
        Thread(target=work).start()
    done.wait()
    kept = resident()
    asyncio.run(wait_until_it_is_given_back())
    print(kept)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in /proc, and has glibc")
def test_what_threads_have_freed_goes_back_to_the_system() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    script = textwrap.dedent(SCRIPT)
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) > LIMIT, "the script does not do what it is for"
