"""The APIs that contestants post to, as processes of their own."""

import re
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.arrivals import Arrivals
from tests.bench.counting_server import Manner
from tests.bench.watched import Watched

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Counting:
    """A counting server, by its address."""

    url: str

    def arrivals(self) -> Arrivals:
        """What came, and when."""
        return Arrivals.from_json(self._ask("GET"))

    def events(self) -> int:
        """How many events came."""
        return int(self._ask("GET", "/events"))

    def forget(self) -> None:
        """Starts afresh, answering at once and well."""
        self.behave(Manner())
        self._ask("DELETE")

    def behave(self, manner: Manner) -> None:
        """How it answers batches from now on."""
        self._ask("PUT", body=manner.to_json())

    def _ask(self, method: str, path: str = "/", body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, method=method, data=body)
        with urllib.request.urlopen(request, timeout=30) as answer:
            answered: bytes = answer.read()
        return answered


@contextmanager
def counting(folder: Path) -> Iterator[Counting]:
    """A counting server."""
    command = [sys.executable, "-m", "tests.bench.counting_server"]
    with serving(command, folder / "counting_server.log") as url:
        yield Counting(url)


@contextmanager
def sandbox(folder: Path) -> Iterator[str]:
    """The address of `productiv-bridge sandbox`. It keeps identities and no content."""
    command = [sys.executable, "-m", "bridge", "sandbox", "--port", "0", "--keep-records", "0"]
    with serving(command, folder / "sandbox.log") as url:
        yield url


@contextmanager
def serving(command: list[str], log: Path) -> Iterator[str]:
    """The address of a server that prints it."""
    with Watched(command, log) as process:
        line = process.wait_for(lambda line: "http://" in line, START_SECONDS)
        found = re.search(r"http://\S+", line)
        assert found is not None
        yield found[0]
