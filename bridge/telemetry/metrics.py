"""The metrics of one process: what is counted as it happens, and the collectors for what is kept elsewhere.

`declarations` defines them all. The books are not counted a second time: `collectors` reads them from the
streams when a scraper asks, so what Prometheus shows is what the engine acts on.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bridge.core.batcher import Batch
from bridge.core.gate import Finding
from bridge.core.outcome import Accepted, Outcome
from bridge.core.polling import Write
from bridge.core.record import Refused
from bridge.core.stream import SinkStream
from bridge.telemetry import collectors
from bridge.telemetry.declarations import DECLARED
from bridge.telemetry.views import ApiView, KafkaView, SourceView, StreamView

MOST_APPS = 20
REASONS = ("undecodable", "invalid", "unknown_app", "too_large", "rejected")
RebalanceEvent = Literal["assigned", "revoked", "lost"]
EVENTS: tuple[RebalanceEvent, ...] = ("assigned", "revoked", "lost")


class Metrics:
    """The metrics of one process, in a registry of their own.

    `wall` gives seconds since 1970. At most so many apps are named by a label.
    """

    def __init__(self, wall: Callable[[], float], most_apps: int = MOST_APPS) -> None:
        self.registry = CollectorRegistry()
        self._wall = wall
        self._views: dict[str, StreamView] = {}
        self._sources: dict[str, SourceView] = {}
        self._kafka: dict[str, KafkaView] = {}
        self._api: list[ApiView] = []
        self.registry.register(collectors.Build())
        for read in (
            partial(collectors.streams, self._views, wall, most_apps),
            partial(collectors.sources, self._sources),
            partial(collectors.api, self._api),
            partial(collectors.kafka, self._kafka),
        ):
            self.registry.register(collectors.Reading(read))
        declared = DECLARED["bridge_start_time_seconds"]
        Gauge(declared.name, declared.meaning, registry=self.registry).set(wall())
        self._requests = self._counter("bridge_requests")
        self._request_seconds = self._histogram("bridge_request_seconds")
        self._batch_records = self._histogram("bridge_batch_records")
        self._delay = self._histogram("bridge_delay_seconds")
        self._retries = self._counter("bridge_retries")
        self._dead_letters = self._counter("bridge_dead_letters")
        self._findings = self._counter("bridge_findings")
        self._rebalances = self._counter("bridge_rebalances")
        self._rounds = self._counter("bridge_rounds")
        self._round_seconds = self._histogram("bridge_round_seconds")
        self._rows = self._counter("bridge_rows_polled")
        self._late = self._histogram("bridge_late_seconds")
        self._gaps = self._counter("bridge_gap_seconds")
        self._shortened = self._counter("bridge_overlaps_shortened")
        self._reconciled = self._counter("bridge_reconciled_apps")
        self._reconciled_records = self._counter("bridge_reconciled_records")
        self._difference = self._counter("bridge_reconcile_differences")

    def _counter(self, name: str) -> Counter:
        return Counter(name, DECLARED[name].meaning, DECLARED[name].labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        declared = DECLARED[name]
        labels, buckets = declared.labels, declared.buckets
        return Histogram(name, declared.meaning, labels, buckets=buckets, registry=self.registry)

    def watch(self, stream: str, view: StreamView, kafka: KafkaView) -> None:
        """Shows a stream's books and its consumer from now on."""
        self._views[stream] = view
        self._kafka[stream] = kafka
        self._retries.labels(stream)
        for reason in REASONS:
            self._dead_letters.labels(stream, reason)
        self._begin_rebalances(stream)

    def watch_source(self, stream: str, view: SourceView, kafka: KafkaView) -> None:
        """Shows a source's state and its membership from now on."""
        self._sources[stream] = view
        self._kafka[stream] = kafka
        # From 0 on, as nobody sees the growth of what is not there before.
        self._rounds.labels(stream, "done")
        for counter in (self._rows, self._gaps, self._shortened):
            counter.labels(stream)
        self._begin_rebalances(stream)

    def watch_api(self, view: ApiView) -> None:
        """Shows the tokens and rate limits of the API's client from now on."""
        self._api.append(view)

    def _begin_rebalances(self, stream: str) -> None:
        for event in EVENTS:
            self._rebalances.labels(stream, event)

    def request(self, operation: str, outcome: Outcome, seconds: float) -> None:
        """Counts one request to the API."""
        self._requests.labels(operation, outcome.label).inc()
        self._request_seconds.labels(operation).observe(seconds)

    def sent(self, stream: SinkStream, batch: Batch, outcome: Outcome) -> None:
        """Notes what became of a batch."""
        if batch.attempts > 1:
            self._retries.labels(stream.name).inc()
        if not isinstance(outcome, Accepted):
            return
        self._batch_records.labels(stream.name).observe(len(batch))
        kind, milliseconds = batch.origins[0].timestamp()
        if kind:
            self._delayed(stream.name, "kafka", milliseconds)
        if stream.event_time is not None:
            self._delayed(stream.name, "event", batch.docs[0][stream.event_time])

    def _delayed(self, stream: str, since: str, milliseconds: float) -> None:
        self._delay.labels(stream, since).observe(max(0.0, self._wall() - milliseconds / 1000))

    def dead_lettered(self, stream: str, refused: Sequence[Refused]) -> None:
        """Counts records written to the dead-letter topic."""
        for one in refused:
            self._dead_letters.labels(stream, one.reason).inc()

    def found(self, stream: str, finding: Finding) -> None:
        """Counts the records of a finding."""
        self._findings.labels(stream, finding.field, finding.problem).inc(finding.records)

    def rebalanced(self, stream: str, event: RebalanceEvent) -> None:
        """Counts that partitions came or went."""
        self._rebalances.labels(stream, event).inc()

    def difference(self, stream: str, counts: Mapping[str, int]) -> None:
        """Counts what the scheduled job found to differ."""
        for kind, count in counts.items():
            self._difference.labels(stream, kind).inc(count)

    def reconciled(self, stream: str, result: str) -> None:
        """Counts one app that the scheduled job went through."""
        self._reconciled.labels(stream, result).inc()

    def reconciled_records(self, stream: str, **counts: int) -> None:
        """Counts what the scheduled job changed at the API."""
        for kind, count in counts.items():
            self._reconciled_records.labels(stream, kind).inc(count)

    def round(self, stream: str, result: str, seconds: float) -> None:
        """Counts one round of a source."""
        self._rounds.labels(stream, result).inc()
        self._round_seconds.labels(stream).observe(seconds)

    def written(self, stream: str, write: Write) -> None:
        """Counts what a source committed."""
        self._rows.labels(stream).inc(write.rows)
        for emission in write.emissions:
            if emission.late is not None:
                self._late.labels(stream).observe(emission.late)

    def gap(self, stream: str, seconds: float) -> None:
        """Counts time that a source can never read."""
        self._gaps.labels(stream).inc(seconds)

    def shortened(self, stream: str) -> None:
        """Counts a round in which an overlap is shorter."""
        self._shortened.labels(stream).inc()
