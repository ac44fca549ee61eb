"""Memory of the bridges and lag over time, looked at beside all that happens. Linux only."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.matrix.scene import Scene

SAMPLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What was `when` seconds after the beginning: resident bytes by process (its name and id), records
    produced, and of these not committed yet.
    """

    when: float
    resident: dict[tuple[str, int], int]
    produced: int
    lag: int


@dataclass
class Meter:
    """Takes samples of a scene from its start to its end; `ends` says what was produced."""

    scene: Scene
    ends: Callable[[], dict[tuple[str, int], int]]
    began: float
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the sample that is being taken."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            ends = self.ends()
            committed = self.scene.watch.committed()
            lag = sum(end - committed.get(part, 0) for part, end in ends.items())
            bridges = [bridge for bridge in list(self.scene.bridges) if bridge.running]
            resident = {(bridge.name, bridge.pid): _resident(bridge.pid) for bridge in bridges}
            when = time.monotonic() - self.began
            self.samples.append(Sample(when, resident, sum(ends.values()), lag))


def _resident(pid: int) -> int:
    """Resident bytes; 0 if it has ended meanwhile."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmRSS:")), 0)
