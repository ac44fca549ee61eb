"""What a scrape reads of streams and clients, as they are at that moment."""

import threading

from bridge.core.flood_guard import FloodLimits
from bridge.core.outcome import Accepted, Denied, Throttled
from bridge.core.redact import EMAIL
from bridge.telemetry.metrics import Metrics
from tests.core.records import STREAM, decoded, engine, limits
from tests.core.test_gate import engine as gated_engine
from tests.core.test_gate import snapshot
from tests.switching import threads_taking_turns_often
from tests.telemetry.in_use import Api, View, told, used
from tests.telemetry.shown import families, stream_value, value

CAUSES = ("throttled", "unavailable", "in_doubt", "denied")


def test_books_are_read_when_asked() -> None:
    metrics, view = used()
    columns = (
        "received",
        "delivered",
        "dead_lettered",
        "superseded",
        "handed_over",
        "in_doubt",
        "settled_before",
        "parked",
    )
    names = {column: f"bridge_records_{column}_total" for column in columns}
    assert [stream_value(metrics, name) for name in names.values()] == [2, 2, 0, 0, 0, 0, 0, 0]
    more = decoded((0, 2, "a", 5), (0, 3, "a", 5), (0, 4, "b", 5), refused=((0, 5),))
    bury = view.engine.receive(more, 0.0)
    assert bury is not None
    view.engine.buried(bury)
    view.engine.give_up([0])
    assert [stream_value(metrics, name) for name in names.values()] == [6, 2, 1, 1, 2, 0, 0, 0]


def test_gauges_are_read_when_asked() -> None:
    metrics, view = used()
    gauges = ("records_outstanding", "lag_records", "requests_in_flight", "assigned_partitions",
              "denied", "apps_parked")  # fmt: skip
    assert [stream_value(metrics, f"bridge_{gauge}") for gauge in gauges] == [0, 12, 0, 1, 0, 1]
    assert stream_value(metrics, "bridge_concurrency_limit") == 16
    view.engine.receive(decoded(*((0, 10 + n, app, n) for n, app in enumerate("aabbc"))), 0.0)
    first, second = view.engine.take(0.0), view.engine.take(0.0)
    assert first is not None
    assert second is not None
    view.engine.returned(first, Denied(401, "no"), 0.0)
    view.lags = {0: 4}
    assert [stream_value(metrics, f"bridge_{gauge}") for gauge in gauges] == [5, 4, 1, 1, 1, 1]


def test_what_waits_is_told_by_cause_and_by_app() -> None:
    metrics, view = used()
    names = ("bridge_lanes_waiting", "bridge_wait_seconds_total")

    def shown(cause: str) -> list[float | None]:
        return [value(metrics, name, stream=STREAM.name, cause=cause) for name in names]

    assert [shown(cause) for cause in CAUSES] == [[0, 0]] * 4
    view.engine.receive(decoded(*((0, 10 + n, app, n) for n, app in enumerate("aabb"))), 0.0)
    for outcome in (Throttled(429, 7.0), Denied(401, "no")):
        batch = view.engine.take(0.0)
        assert batch is not None
        view.engine.returned(batch, outcome, 0.0)
    assert shown("throttled") == [1, 7]
    assert shown("denied") == [1, 0.5]  # the shortest wait
    assert shown("unavailable") == [0, 0]
    assert held_up(metrics) == {("a", "throttled"): 1, ("b", "denied"): 1, ("d", "parked"): 1}


def test_waits_that_overlap_count_once() -> None:
    metrics, view = used()
    view.engine.receive(decoded(*((0, 10 + n, "a", n) for n in range(4))), 0.0)
    batches = [view.engine.take(0.0), view.engine.take(0.0)]
    for seconds, batch in zip((7.0, 9.0), batches, strict=True):
        assert batch is not None
        view.engine.returned(batch, Throttled(429, seconds), 0.0)
    assert value(metrics, "bridge_wait_seconds_total", stream=STREAM.name, cause="throttled") == 9


def test_apps_beyond_the_cap_are_other_and_an_address_is_never_shown() -> None:
    metrics = Metrics(lambda: 0.0, most_apps=2)
    view = View(engine())
    metrics.watch(STREAM.name, view, told())
    for app in ("c", "ann@example.com", "b", "d"):
        view.engine.park(app)
    assert held_up(metrics) == {(EMAIL, "parked"): 1, ("b", "parked"): 1, ("other", "parked"): 2}


def held_up(metrics: Metrics) -> dict[tuple[str, str], float]:
    samples = families(metrics)["bridge_app_held_up"].samples
    return {(sample.labels["app"], sample.labels["cause"]): sample.value for sample in samples}


def test_lag_is_told_in_seconds_and_by_partition() -> None:
    metrics, view = used()
    assert stream_value(metrics, "bridge_lag_seconds") == 7
    by_partition = [
        value(metrics, "bridge_partition_lag_records", stream=STREAM.name, partition=p) for p in "01"
    ]
    assert by_partition == [9, 3]
    view.behind_since = 200.0  # a clock that is ahead
    assert stream_value(metrics, "bridge_lag_seconds") == 0
    view.behind_since = None
    assert stream_value(metrics, "bridge_lag_seconds") == 0
    view.lags = None
    assert stream_value(metrics, "bridge_lag_seconds") is None


def test_a_lag_that_nobody_knows_yet_is_not_shown_as_none() -> None:
    metrics = Metrics(lambda: 0.0)
    metrics.watch(STREAM.name, View(engine()), told())
    assert stream_value(metrics, "bridge_lag_records") is None
    assert stream_value(metrics, "bridge_records_outstanding") == 0


def test_tokens_and_rate_limits_are_read_when_asked() -> None:
    metrics, api = Metrics(lambda: 0.0), Api()
    metrics.watch_api(api)
    assert value(metrics, "bridge_token_age_seconds") == 600
    assert value(metrics, "bridge_token_left_seconds") == 3000
    assert value(metrics, "bridge_rate_limit", api="export") == 5
    assert value(metrics, "bridge_rate_limit", api="push") is None
    assert value(metrics, "bridge_rate_limit_turns_total", api="push") == 8
    assert value(metrics, "bridge_rate_limit_wait_seconds_total", api="export") == 1.5
    api.token_age = api.token_expires_in = None
    assert value(metrics, "bridge_token_age_seconds") is None
    assert value(metrics, "bridge_token_left_seconds") is None


def test_what_a_gate_holds_shows() -> None:
    metrics, view = used()
    view.engine = gated_engine()
    view.engine.receive(snapshot(1, 3, size=9), 0.0)
    assert stream_value(metrics, "bridge_records_gathering") == 3


def test_a_tripped_guard_shows() -> None:
    metrics = Metrics(lambda: 0.0)
    view = View(engine(limits(flood=FloodLimits(consecutive=1, share=None, window=1))))
    metrics.watch(STREAM.name, view, told())

    def shown() -> list[float | None]:
        name, limits = "bridge_flood_guard_tripped", ("consecutive", "share")
        return [value(metrics, name, stream=STREAM.name, limit=limit) for limit in limits]

    assert shown() == [0, 0]
    assert not view.engine.admits(decoded(refused=((0, 0),)))
    assert shown() == [1, 0]
    view.engine.resume()
    assert shown() == [0, 0]


def test_the_books_balance_in_a_scrape_at_any_moment() -> None:
    """Scrapes come from a thread of their own, also while records are being received."""
    metrics = Metrics(lambda: 0.0)
    view = View(engine(limits(5)))
    metrics.watch(STREAM.name, view, told())
    unbalanced: list[dict[str, float]] = []
    scrapes, done = 0, threading.Event()

    def scrape() -> None:
        nonlocal scrapes
        while not done.is_set():
            samples = [sample for metric in metrics.registry.collect() for sample in metric.samples]
            books = {s.name: s.value for s in samples if s.name.startswith("bridge_records_")}
            if 2 * books["bridge_records_received_total"] != sum(books.values()):
                unbalanced.append(books)
            scrapes += 1

    scraping = threading.Thread(target=scrape)
    with threads_taking_turns_often():
        scraping.start()
        for n in range(0, 20_000, 50):
            more = decoded(*((0, n + i, "abc"[i % 3], i % 20) for i in range(49)), refused=((0, n + 49),))
            bury = view.engine.receive(more, 0.0)
            while (batch := view.engine.take(0.0)) is not None:
                view.engine.returned(batch, Accepted(), 0.0)
            if bury is not None:
                view.engine.buried(bury)
        done.set()
        scraping.join()
    assert scrapes > 10
    assert unbalanced == []
