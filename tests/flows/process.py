"""The bridge as a process of its own: started, killed, stopped and asked like on a server."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

PATIENCE = 180.0  # a machine may be starved; where it matters how soon, a test says so itself


def eventually(holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Waits until it holds; fails with `what` if it does not in time."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)  # another process has to get on with it


class BridgeProcess:
    """`productiv-bridge run` of some streams; it logs to a file and tells its port there.

    With several workers it is their supervisor, and what it shows is of them all.
    """

    def __init__(
        self, folder: Path, name: str, streams: Sequence[str], settings: dict[str, Any], workers: int = 1
    ) -> None:
        self.name = name
        self._streams = streams
        self._workers = workers
        self.config = folder / f"{name}.yaml"
        self.config.write_text(yaml.safe_dump(settings))
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = 0

    def start(self) -> "BridgeProcess":
        """Starts it and waits until it serves its operations port."""
        self.begin()
        self.wait_until_started()
        return self

    def begin(self) -> None:
        """Starts it and returns at once."""
        self._begun = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "bridge", "run", "--config", str(self.config)]
            command += [word for stream in self._streams for word in ("--only", stream)]
            command += ["--workers", str(self._workers)] if self._workers > 1 else []
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def wait_until_started(self) -> None:
        """Returns when it serves its operations port; fails if it ends instead."""
        eventually(lambda: bool(self._started()) or not self.running, "the bridge starts")
        assert self.running, f"the bridge ended at once:\n{self.log.read_text()}"

    @property
    def url(self) -> str:
        """Its operations port; another one after it has started anew by itself."""
        return str(self._started()[-1]["operations_port"])

    def change(self, **sections: Any) -> None:
        """Changes sections of the configuration; counts at the next start."""
        settings = yaml.safe_load(self.config.read_text())
        self.config.write_text(yaml.safe_dump(settings | sections))

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is committed."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)

    def pause(self) -> None:
        """SIGSTOP: it holds on to everything and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT, after `pause`: it goes on as if no time had passed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self.exit_code()

    def exit_code(self) -> int:
        """Waits until it ends."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        """Ends it whatever it does."""
        if self.running:
            self.kill()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of this event."""
        return self._events(event, 0)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels, now; of its streams unless they name another."""
        own = {None, labels.get("stream"), *self._streams}
        return _sum([each for each in self._scrape() if each.labels.get("stream") in own], name, labels)

    def books(self, stream: str | None = None) -> dict[str, int]:
        """The columns of a stream's books (None: of the first), by the metrics of one scrape."""
        settled = ("delivered", "dead_lettered", "superseded", "in_doubt", "settled_before", "parked")
        columns = ("received", *settled, "handed_over")
        samples, labels = self._scrape(), {"stream": stream or self._streams[0]}
        books = {name: int(_sum(samples, f"bridge_records_{name}_total", labels)) for name in columns}
        return books | {"outstanding": int(_sum(samples, "bridge_records_outstanding", labels))}

    def has_settled(self, total: int) -> bool:
        """Whether it has received so many records and is done with them all."""
        books = self.books()
        return books["received"] == total and books["outstanding"] == 0

    def metrics(self) -> bytes:
        """Its page of metrics."""
        return self._answer("/metrics/")[1]

    def _scrape(self) -> list[Sample]:
        families = text_string_to_metric_families(self.metrics().decode())
        return [sample for family in families for sample in family.samples]

    def status(self, path: str) -> tuple[int, Any]:
        """Status and JSON body of a page of the operations port."""
        status, body = self._answer(path)
        return status, json.loads(body)

    def _answer(self, path: str) -> tuple[int, bytes]:
        """Status and body of a page; waits for a bridge that starts anew by itself."""
        answers: list[tuple[int, bytes]] = []

        def answered() -> bool:
            try:
                with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
                    answers.append((answer.status, answer.read()))
            except urllib.error.HTTPError as error:
                answers.append((error.code, error.read()))
            except (urllib.error.URLError, ConnectionError):
                assert self.running, "the bridge has ended"
            return bool(answers)

        eventually(answered, f"the bridge answers {path}")
        return answers[0]

    def _started(self) -> list[dict[str, Any]]:
        return self._events("started" if self._workers == 1 else "supervising", self._begun)

    def _events(self, event: str, begin: int) -> list[dict[str, Any]]:
        lines = self.log.read_bytes()[begin:].decode().splitlines()
        parsed = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [line for line in parsed if line.get("event") == event]


def _sum(samples: list[Sample], name: str, labels: dict[str, str]) -> float:
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


def balanced(books: dict[str, int]) -> bool:
    """Whether the books of one process add up."""
    return books["received"] == sum(value for name, value in books.items() if name != "received")
