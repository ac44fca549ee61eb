"""A process whose CPU time and memory are measured, with its children's. Reads /proc: it needs Linux."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")  # of CPU time, in a second


class BenchFailed(Exception):
    """Something did not do its job, so there is nothing to report; the message says what."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident bytes at a monotonic second."""

    when: float
    resident: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process took from `ready` to its end: CPU seconds (user and system); memory in bytes.

    `before` are the events that it had delivered by then: of several workers the first begin while others
    start.
    """

    cpu_seconds: float
    peak: int
    samples: Sequence[Sample]
    before: int = 0

    def resident_at(self, when: float) -> int:
        """Resident bytes at the sample next to this monotonic second."""
        return min(self.samples, key=lambda sample: abs(sample.when - when)).resident


class Watched:
    """A process with its output in a file, sampled from its start. Use it as a context manager."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        self.began = time.monotonic()
        self._samples: list[Sample] = []
        self._peak = 0
        self._cpu_at_ready = 0.0
        self._over = threading.Event()
        # Settings of the bridge in the environment would change what is measured.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        environment |= variables or {}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=environment
            )
        self._family = [self._process.pid]
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait(30)

    def wait_for(self, what: Callable[[str], bool], seconds: float, times: int = 1) -> str:
        """Waits for so many such lines of output and returns the first.

        Raises:
            BenchFailed: the process ended, or the time is over.
        """
        found: list[str] = []

        def seen() -> bool:
            found[:] = [line for line in self.log.read_text(errors="replace").splitlines() if what(line)]
            return len(found) >= times

        self.wait_until(seen, seconds)
        return found[0]

    def wait_until(self, holds: Callable[[], bool], seconds: float) -> None:
        """Waits until something holds.

        Raises:
            BenchFailed: the process ended, or the time is over.
        """
        until = time.monotonic() + seconds
        # Asked before looking: what it did last counts as well.
        while True:
            ended = self._ended()
            if holds():
                return
            if ended or time.monotonic() > until:
                why = "it ended too early" if ended else f"it was not done within {seconds:g} s"
                raise BenchFailed(f"{why}:\n{self._tail()}")
            time.sleep(SAMPLE_SECONDS)

    def ready(self) -> None:
        """CPU time counts from here on: imports are over, all processes are there, the work begins."""
        self._family = _family(self._process.pid)
        self._cpu_at_ready = sum(map(_cpu_seconds, self._family))

    def stop(self, seconds: float) -> Usage:
        """Asks it to end, as an operator does."""
        self._process.send_signal(signal.SIGTERM)
        return self.end(seconds)

    def end(self, seconds: float) -> Usage:
        """Waits for its end.

        Raises:
            BenchFailed: it did not end in time, or with an error.
        """
        until = time.monotonic() + seconds
        # Not Popen.wait, which throws away what the process used.
        while not (ended := os.wait4(self._process.pid, os.WNOHANG))[0]:
            if time.monotonic() > until:
                raise BenchFailed(f"it did not end within {seconds:g} s:\n{self._tail()}")
            time.sleep(SAMPLE_SECONDS)
        self._over.set()
        self._sampler.join()
        _, status, used = ended
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode != 0:
            raise BenchFailed(f"it ended with {self._process.returncode}:\n{self._tail()}")
        return Usage(used.ru_utime + used.ru_stime - self._cpu_at_ready, self._peak, self._samples)

    def _ended(self) -> bool:
        # Not Popen.poll, which would take the account that `end` wants.
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _sample(self) -> None:
        while not self._over.is_set():
            family = [fields for pid in self._family if "VmRSS" in (fields := _memory(pid))]
            if not family:  # it has ended
                return
            self._samples.append(Sample(time.monotonic(), sum(_bytes(each["VmRSS"]) for each in family)))
            # Not ru_maxrss, which on Linux begins with the size of the process that started this one.
            self._peak = max(self._peak, sum(_bytes(each["VmHWM"]) for each in family))
            self._over.wait(SAMPLE_SECONDS)

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def _family(pid: int) -> list[int]:
    """A process and those it has started, whose CPU time it has once it has waited for them."""
    stats = {int(each.parent.name): each for each in Path("/proc").glob("[0-9]*/stat")}
    return [pid, *(child for child, stat in stats.items() if _fields(stat)[1:2] == [str(pid)])]


def _fields(stat: Path) -> list[str]:
    """Of /proc/PID/stat, behind the name in brackets, which may hold anything; none if it has ended."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _memory(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _bytes(field: str) -> int:
    return int(field.split()[0]) * 1024


def _cpu_seconds(pid: int) -> float:
    fields = _fields(Path(f"/proc/{pid}/stat"))  # user and system time are the 12th and 13th
    return (int(fields[11]) + int(fields[12])) / _TICKS
