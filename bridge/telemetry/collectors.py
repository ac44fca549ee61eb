"""Reads what is kept elsewhere at the moment of a scrape, so that nothing is counted twice."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge import __version__
from bridge.core.flood_guard import Limit
from bridge.core.redact import redact
from bridge.telemetry.declarations import COLUMNS, DECLARED
from bridge.telemetry.views import ApiView, KafkaView, SourceView, StreamView

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the value."""

View = TypeVar("View")
Readers = Mapping[str, Callable[[View], float | None]]

OTHER = "other"


class Reading(Collector):
    """Shows declared metrics by what `read` gives at that moment: their names, each with its samples."""

    def __init__(self, read: Callable[[], Iterable[tuple[str, Iterable[Sample]]]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Called for each scrape, in a thread of its own."""
        for name, samples in self._read():
            declared = DECLARED[name]
            kind = CounterMetricFamily if declared.kind == "counter" else GaugeMetricFamily
            family = kind(name, declared.meaning, labels=declared.labels)
            for labels, value in samples:
                family.add_metric(labels, value)
            yield family


class Build(Collector):
    """Shows the version."""

    def collect(self) -> Iterable[Metric]:
        """Called for each scrape."""
        build = InfoMetricFamily("bridge_build", DECLARED["bridge_build"].meaning)
        build.add_metric([], {"version": __version__})
        yield build


Families = Iterator[tuple[str, Iterable[Sample]]]


def streams(views: dict[str, StreamView], now: Callable[[], float], most_apps: int) -> Families:
    """The books and the state of sinks. `now` is seconds since 1970; so many apps are named at most."""
    views = dict(views)  # a copy, as the loop may add a stream meanwhile
    shown = {stream: view.engine.shown for stream, view in views.items()}  # once, so that they balance
    for column in COLUMNS:
        field = column.name.removeprefix("bridge_records_")
        yield column.name, [((stream,), getattr(books, field)) for stream, (books, _) in shown.items()]
    yield "bridge_records_outstanding", [((stream,), records) for stream, (_, records) in shown.items()]
    yield from _read(SINK_READERS, views)
    held_up = {stream: view.engine.held_up for stream, view in views.items()}
    yield "bridge_lag_seconds", list(_lag_seconds(views, now()))
    yield (
        "bridge_partition_lag_records",
        [
            ((stream, str(partition)), records)
            for stream, view in views.items()
            for partition, records in (view.lags or {}).items()
        ],
    )
    yield (
        "bridge_lanes_waiting",
        [
            ((stream, cause), list(held_up[stream].values()).count(cause))
            for stream, view in views.items()
            for cause in view.engine.waits
        ],
    )
    yield "bridge_app_held_up", _named(held_up, most_apps).items()
    yield (
        "bridge_wait_seconds",
        [
            ((stream, cause), seconds)
            for stream, view in views.items()
            for cause, seconds in view.engine.waits.items()
        ],
    )
    yield (
        "bridge_flood_guard_tripped",
        [
            ((stream, limit), int(trip is not None and trip.limit is limit))
            for stream, view in views.items()
            for trip in [view.engine.tripped]
            for limit in Limit
        ],
    )


def sources(views: dict[str, SourceView]) -> Families:
    """The state of sources."""
    views = dict(views)
    yield (
        "bridge_records_emitted",
        [
            ((stream, output), records)
            for stream, view in views.items()
            for output, records in view.emitted.items()
        ],
    )
    yield from _read(SOURCE_READERS, views)


def kafka(views: dict[str, KafkaView]) -> Families:
    """What librdkafka tells of the streams' consumers."""
    yield from _read(KAFKA_READERS, dict(views))


def api(views: list[ApiView]) -> Families:
    """The tokens and the rate limits of the API's client."""
    for name, read in API_READERS.items():
        yield name, [((), value) for view in views if (value := read(view)) is not None]
    rates = [(api, rate) for view in views for api, rate in view.rates.items()]
    yield (
        "bridge_rate_limit",
        [((api,), rate.per_second) for api, rate in rates if rate.per_second is not None],
    )
    yield "bridge_rate_limit_turns", [((api,), rate.turns) for api, rate in rates]
    yield "bridge_rate_limit_wait_seconds", [((api,), rate.waited) for api, rate in rates]


def _read(readers: Readers[View], views: Mapping[str, View]) -> Families:
    for name, read in readers.items():
        yield (
            name,
            [((stream,), value) for stream, view in views.items() if (value := read(view)) is not None],
        )


def _lag_seconds(views: Mapping[str, StreamView], now: float) -> Iterator[Sample]:
    for stream, view in views.items():
        if view.lags is not None:
            since = view.behind_since
            yield (stream,), 0.0 if since is None else max(0.0, now - since)


def _named(held_up: Mapping[str, Mapping[str, str]], most: int) -> dict[tuple[str, ...], float]:
    """The apps, the first ones in the order of the alphabet by name; a name that is an address is hidden."""
    counted: Counter[tuple[str, ...]] = Counter()
    named = sorted({app for apps in held_up.values() for app in apps})[:most]
    for stream, apps in held_up.items():
        for app, cause in apps.items():
            counted[stream, redact(app) if app in named else OTHER, cause] += 1
    return dict(counted)


SINK_READERS: Readers[StreamView] = {
    "bridge_in_doubt_waiting_records": lambda view: None if view.in_doubt is None else len(view.in_doubt),
    "bridge_in_doubt_oldest_timestamp_seconds": lambda view: view.in_doubt[0] if view.in_doubt else None,
    "bridge_records_gathering": lambda view: view.engine.gathering,
    "bridge_lag_records": lambda view: None if view.lags is None else sum(view.lags.values()),
    "bridge_requests_in_flight": lambda view: view.engine.in_flight,
    "bridge_concurrency_limit": lambda view: view.engine.concurrency_limit,
    "bridge_assigned_partitions": lambda view: len(view.engine.offsets.partitions),
    "bridge_apps_parked": lambda view: len(view.engine.parking.apps),
    "bridge_denied": lambda view: int(view.engine.denied),
}

SOURCE_READERS: Readers[SourceView] = {
    "bridge_source_owned": lambda view: int(view.owned),
    "bridge_cursor_timestamp_seconds": lambda view: view.position,
    "bridge_cursor_entries": lambda view: view.entries,
}

API_READERS: Readers[ApiView] = {
    "bridge_token_age_seconds": lambda view: view.token_age,
    "bridge_token_left_seconds": lambda view: view.token_expires_in,
}

KAFKA_READERS: Readers[KafkaView] = {
    "bridge_kafka_round_trip_seconds": lambda view: view.round_trip,
    "bridge_kafka_connections": lambda view: view.connections,
    "bridge_kafka_connections_failing": lambda view: view.failing,
    "bridge_kafka_fetched_records": lambda view: view.fetched,
    "bridge_kafka_disconnects": lambda view: view.disconnects,
}
