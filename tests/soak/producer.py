"""Records at a steady rate with bursts, beside all that happens."""

import threading
import time

from confluent_kafka import KafkaException

from tests.matrix.records import Records
from tests.matrix.scene import Scene

TICK_SECONDS = 0.25
MARKED_EVERY = 20  # ticks; one record of each stream that the API will refuse


class SteadyProducer:
    """Puts `rate` records a second of each stream onto the topics. `lock` is held while they are made.

    What does not get onto its topic while the broker is away comes when it is back.
    """

    def __init__(self, scene: Scene, records: Records, lock: threading.Lock, rate: float) -> None:
        self.wrongs: list[str] = []
        self._scene = scene
        self._records = records
        self._lock = lock
        self._rate = rate
        self._extra = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def burst(self, records: int) -> None:
        """So many records of each stream more than usual, at once."""
        self._extra += records

    def stop(self) -> None:
        """Ends when what was made is on the topics."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        began, made, tick = time.monotonic(), 0, 0
        try:
            while not self._over.wait(TICK_SECONDS):
                extra, tick = self._extra, tick + 1
                self._extra -= extra
                due = int((time.monotonic() - began) * self._rate) - made
                made += due
                with self._lock:
                    wave = list(self._records.wave(due + extra, poisoned=int(tick % MARKED_EVERY == 0)))
                self._scene.produce(wave)
        except (AssertionError, KafkaException) as error:
            self.wrongs.append(f"the producer ended: {error}")
