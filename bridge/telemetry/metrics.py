"""Every metric of the bridge: name, type, unit, labels, meaning. Nothing else defines one.

The books are not counted a second time: a collector reads them from the streams when a scraper asks, so what
Prometheus shows is what the engine acts on. Labels come from bounded sets only.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge import __version__
from bridge.core.batcher import Batch
from bridge.core.books import Books
from bridge.core.engine import Engine
from bridge.core.flood_guard import Limit
from bridge.core.gate import Finding
from bridge.core.outcome import Accepted, Outcome
from bridge.core.polling import Write
from bridge.core.record import Refused

# Milliseconds for a healthy API, up to its read timeout and beyond.
REQUEST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
DELAY_SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)
# Up to some hours: what an overlap may be set to.
LATE_SECONDS = (60, 300, 600, 900, 1200, 1800, 2700, 3600, 7200, 14400, 43200, 86400)
ROUND_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400)
BATCH_RECORDS = (1, 10, 50, 100, 250, 500, 750, 900, 999, 1000)


class StreamView(Protocol):
    """What a stream shows of itself."""

    engine: Engine
    lag: int | None
    in_doubt: list[float] | None


class SourceView(Protocol):
    """What a source shows of itself."""

    @property
    def emitted(self) -> Mapping[str, int]:
        """Records committed by this process, by output."""

    @property
    def owned(self) -> bool:
        """Whether this process is the one that polls."""

    @property
    def position(self) -> float | None:
        """Up to which time everything was read, in seconds since 1970."""

    @property
    def entries(self) -> int | None:
        """How many entries the cursor has."""


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self._wall = wall
        self._views: dict[str, StreamView] = {}
        self._sources: dict[str, SourceView] = {}
        self.registry.register(_Streams(self._views))
        self.registry.register(_Sources(self._sources))
        self._dead_letters = Counter(
            "bridge_dead_letters",
            "Records written to the dead-letter topic, by reason.",
            ("stream", "reason"),
            registry=self.registry,
        )
        self._requests = Counter(
            "bridge_requests",
            "Requests to the Productiv API, by what they came to.",
            ("operation", "outcome"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "bridge_request_seconds",
            "Seconds from sending a request to the Productiv API until its outcome was known.",
            ("operation",),
            buckets=REQUEST_SECONDS,
            registry=self.registry,
        )
        self._batch_records = Histogram(
            "bridge_batch_records",
            "Records in each accepted batch.",
            ("stream",),
            buckets=BATCH_RECORDS,
            registry=self.registry,
        )
        self._delay = Histogram(
            "bridge_delay_seconds",
            "Seconds from the Kafka timestamp of the first record of a batch until the API accepted it.",
            ("stream",),
            buckets=DELAY_SECONDS,
            registry=self.registry,
        )
        self._reconciled = Counter(
            "bridge_reconciled_apps",
            "Apps that the scheduled job reconciled, by result: equal, applied, failed, or refused_ and why.",
            ("stream", "result"),
            registry=self.registry,
        )
        self._reconciled_records = Counter(
            "bridge_reconciled_records",
            "Records that the scheduled job posted, deleted, or had rejected by the API.",
            ("stream", "kind"),
            registry=self.registry,
        )
        self._difference = Counter(
            "bridge_reconcile_differences",
            "Records that the scheduled job found to differ: adds, changes and leavers, mended or not.",
            ("stream", "kind"),
            registry=self.registry,
        )

        self._findings = Counter(
            "bridge_findings",
            "Records that are valid each by themselves and odd beside the others, by field and problem.",
            ("stream", "field", "problem"),
            registry=self.registry,
        )

        self._rounds = Counter(
            "bridge_rounds",
            "Rounds of a source, by result: done, or what kept it from its end.",
            ("stream", "result"),
            registry=self.registry,
        )
        self._round_seconds = Histogram(
            "bridge_round_seconds",
            "Seconds that a round of a source took.",
            ("stream",),
            buckets=ROUND_SECONDS,
            registry=self.registry,
        )
        self._rows = Counter(
            "bridge_rows_polled",
            "Rows of the Productiv API's answers that a source looked at, new or not.",
            ("stream",),
            registry=self.registry,
        )
        self._late = Histogram(
            "bridge_late_seconds",
            "Seconds by which late records lay before what had been read; keep the overlap above.",
            ("stream",),
            buckets=LATE_SECONDS,
            registry=self.registry,
        )
        self._gaps = Counter(
            "bridge_gap_seconds",
            "Seconds of time that a source can never read, as the Productiv API no longer has them.",
            ("stream",),
            registry=self.registry,
        )
        self._shortened = Counter(
            "bridge_overlaps_shortened",
            "Rounds in which a source read less than its overlap again, as too many ids came in it.",
            ("stream",),
            registry=self.registry,
        )

    def watch(self, stream: str, view: StreamView) -> None:
        """Shows a stream's books from now on."""
        self._views[stream] = view

    def watch_source(self, stream: str, view: SourceView) -> None:
        """Shows a source's state from now on."""
        self._sources[stream] = view

    def request(self, operation: str, outcome: Outcome, seconds: float) -> None:
        """Counts one request to the API."""
        self._requests.labels(operation, outcome.label).inc()
        self._request_seconds.labels(operation).observe(seconds)

    def sent(self, stream: str, batch: Batch, outcome: Outcome) -> None:
        """Notes what became of a batch."""
        if isinstance(outcome, Accepted):
            self._batch_records.labels(stream).observe(len(batch))
            kind, milliseconds = batch.origins[0].timestamp()
            if kind:
                self._delay.labels(stream).observe(max(0.0, self._wall() - milliseconds / 1000))

    def dead_lettered(self, stream: str, refused: Sequence[Refused]) -> None:
        """Counts records written to the dead-letter topic."""
        for one in refused:
            self._dead_letters.labels(stream, one.reason).inc()

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

    def found(self, stream: str, finding: Finding) -> None:
        """Counts the records of a finding."""
        self._findings.labels(stream, finding.field, finding.problem).inc(finding.records)

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


class _Sources(Collector):
    """Reads the sources' state at the moment of the scrape."""

    def __init__(self, views: dict[str, SourceView]) -> None:
        self._views = views

    def collect(self) -> Iterable[Metric]:
        views = dict(self._views)  # a copy, as the loop may add a stream meanwhile
        emitted = CounterMetricFamily(*EMITTED, labels=["stream", "output"])
        for stream, view in views.items():
            for output, records in view.emitted.items():
                emitted.add_metric([stream, output], records)
        yield emitted
        for name, (text, read) in SOURCE_GAUGES.items():
            gauge = GaugeMetricFamily(name, text, labels=["stream"])
            for stream, view in views.items():
                if (value := read(view)) is not None:
                    gauge.add_metric([stream], value)
            yield gauge


class _Streams(Collector):
    """Reads the streams' books and state at the moment of the scrape."""

    def __init__(self, views: dict[str, StreamView]) -> None:
        self._views = views

    def collect(self) -> Iterable[Metric]:
        build = InfoMetricFamily("bridge_build", "The version that runs.")
        build.add_metric([], {"version": __version__})
        yield build
        views = dict(self._views)  # a copy, as the loop may add a stream meanwhile
        shown = {stream: view.engine.shown for stream, view in views.items()}  # once, so that they balance
        for name, (text, count) in BOOKS.items():
            counter = CounterMetricFamily(name, text, labels=["stream"])
            for stream, (books, _) in shown.items():
                counter.add_metric([stream], count(books))
            yield counter
        outstanding = GaugeMetricFamily(*OUTSTANDING, labels=["stream"])
        for stream, (_, records) in shown.items():
            outstanding.add_metric([stream], records)
        yield outstanding
        for name, (text, read) in GAUGES.items():
            gauge = GaugeMetricFamily(name, text, labels=["stream"])
            for stream, view in views.items():
                if (value := read(view)) is not None:
                    gauge.add_metric([stream], value)
            yield gauge
        tripped = GaugeMetricFamily(*TRIPPED, labels=["stream", "limit"])
        for stream, view in views.items():
            trip = view.engine.tripped
            for limit in Limit:
                tripped.add_metric([stream, limit], int(trip is not None and trip.limit is limit))
        yield tripped


BOOKS: dict[str, tuple[str, Callable[[Books], int]]] = {
    "bridge_records_received": ("Records read from the topic.", lambda books: books.received),
    "bridge_records_delivered": ("Records that the Productiv API accepted.", lambda books: books.delivered),
    "bridge_records_dead_lettered": (
        "Records that the dead-letter topic acknowledged.",
        lambda books: books.dead_lettered,
    ),
    "bridge_records_superseded": (
        "Records that were not sent, as another stands for them: an identical one, or a newer snapshot.",
        lambda books: books.superseded,
    ),
    "bridge_records_in_doubt": (
        "Records put on the in-doubt topic, as nobody knows whether the Productiv API took them.",
        lambda books: books.in_doubt,
    ),
    "bridge_records_settled_before": (
        "Records read again that the delivery journal knows as settled, and so not sent again.",
        lambda books: books.settled_before,
    ),
    "bridge_records_parked": (
        "Records put on the parking topic, as their app has failed for too long.",
        lambda books: books.parked,
    ),
    "bridge_records_handed_over": (
        "Records given up with their partition while outstanding; the next owner reads them again.",
        lambda books: books.handed_over,
    ),
}

OUTSTANDING = ("bridge_records_outstanding", "Records received and not yet settled.")

GAUGES: dict[str, tuple[str, Callable[[StreamView], float | None]]] = {
    "bridge_in_doubt_waiting_records": (
        "Records on the in-doubt topic that nobody has decided about, whichever process put them there.",
        lambda view: None if view.in_doubt is None else len(view.in_doubt),
    ),
    "bridge_in_doubt_oldest_timestamp_seconds": (
        "Seconds since 1970 at which the oldest of these was put there; absent if there is none.",
        lambda view: view.in_doubt[0] if view.in_doubt else None,
    ),
    "bridge_records_gathering": (
        "Records held until the whole they belong to is complete.",
        lambda view: view.engine.gathering,
    ),
    "bridge_lag_records": (
        "Offsets between what is settled and the end of the topic.",
        lambda view: view.lag,
    ),
    "bridge_requests_in_flight": ("Requests to the API under way.", lambda view: view.engine.in_flight),
    "bridge_concurrency_limit": (
        "Requests to the API that may be under way now: as many as it bears, up to in_flight.",
        lambda view: view.engine.concurrency_limit,
    ),
    "bridge_assigned_partitions": (
        "Partitions that this process reads.",
        lambda view: len(view.engine.offsets.partitions),
    ),
    "bridge_lanes_waiting": (
        "Apps whose records wait after a failure.",
        lambda view: len(view.engine.waiting),
    ),
    "bridge_apps_parked": (
        "Apps whose records go to the parking topic, until what is there of them is delivered.",
        lambda view: len(view.engine.parking.apps),
    ),
    "bridge_denied": ("1 while the API refuses the credentials.", lambda view: int(view.engine.denied)),
}

TRIPPED = (
    "bridge_flood_guard_tripped",
    "1 while the stream is stopped because too many records were refused, by the limit that was reached.",
)

EMITTED = ("bridge_records_emitted", "Records committed to an output topic, null values among them.")

SOURCE_GAUGES: dict[str, tuple[str, Callable[[SourceView], float | None]]] = {
    "bridge_source_owned": (
        "1 while this process is the one that polls the source.",
        lambda view: int(view.owned),
    ),
    "bridge_cursor_timestamp_seconds": (
        "Seconds since 1970 up to which the source has read everything; absent where it is not ours.",
        lambda view: view.position,
    ),
    "bridge_cursor_entries": (
        "Entries of the source's cursor; absent where it is not ours.",
        lambda view: view.entries,
    ),
}
