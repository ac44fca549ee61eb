"""Puts sample records on a topic at an even pace, in a thread of its own."""

import threading
import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from bridge.demo.samples import Sample
from bridge.kafka.serde import Wire

TICK_SECONDS = 0.02


class SampleProducer:
    """Produces `rate` records a second until `most` are sent or `finish` is called.

    It never gets more than `lead` records ahead of what the bridge has settled: the embedded Kafka keeps only
    so much, and what it drops nobody could deliver. `produced` and `bad` count acknowledged records.
    """

    def __init__(
        self, bootstrap: str, topic: str, wire: Wire, samples: Iterator[Sample], rate: float, most: int | None
    ) -> None:
        self.produced = 0
        self.bad = 0
        self._topic = topic
        self._wire = wire
        self._samples = samples
        self._rate = rate
        self._most = most
        self._lead = 50_000
        self._settled = 0
        self._sent = 0
        self._ending = threading.Event()
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "acks": "all"})
        self._thread = threading.Thread(target=self._run, name="sample-producer", daemon=True)

    def start(self) -> None:
        """Begins to produce."""
        self._thread.start()

    def settled(self, records: int) -> None:
        """Tells how many records the bridge has settled so far."""
        self._settled = records

    @property
    def done(self) -> bool:
        """Whether everything it will ever send has been acknowledged."""
        return not self._thread.is_alive()

    def finish(self) -> None:
        """Asks it to stop; it is `done` when what it sent has been acknowledged."""
        self._ending.set()

    def _run(self) -> None:
        started = time.monotonic()
        while not self._ending.wait(TICK_SECONDS) and self._sent != self._most:
            due = int((time.monotonic() - started) * self._rate)
            if self._most is not None:
                due = min(due, self._most)
            for _ in range(min(due, self._settled + self._lead) - self._sent):
                self._send(next(self._samples))
            self._producer.poll(0)
        self._producer.flush()

    def _send(self, sample: Sample) -> None:
        def acknowledged(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.produced += 1
                self.bad += not sample.good

        value: Any = self._wire.write(sample.record)
        self._producer.produce(self._topic, value, on_delivery=acknowledged)
        self._sent += 1
