"""The APIs that contestants post to, as processes of their own."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.watched import Watched

START_SECONDS = 60.0


@contextmanager
def counting(folder: Path) -> Iterator[str]:
    """The address of a counting server."""
    command = [sys.executable, "-m", "tests.bench.counting_server"]
    with _serving(command, folder / "counting_server.log") as url:
        yield url


@contextmanager
def sandbox(folder: Path) -> Iterator[str]:
    """The address of `productiv-bridge sandbox`. It keeps identities and no content."""
    command = [sys.executable, "-m", "bridge", "sandbox", "--port", "0", "--keep-records", "0"]
    with _serving(command, folder / "sandbox.log") as url:
        yield url


@contextmanager
def _serving(command: list[str], log: Path) -> Iterator[str]:
    with Watched(command, log) as process:
        line = process.wait_for(lambda line: "http://" in line, START_SECONDS)
        found = re.search(r"http://\S+", line)
        assert found is not None
        yield found[0]
