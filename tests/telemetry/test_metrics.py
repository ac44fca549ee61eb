import re
import threading
from collections.abc import Iterable
from typing import get_args

import pytest
from prometheus_client.core import Metric

from bridge.core.batcher import Batch
from bridge.core.flood_guard import FloodLimits
from bridge.core.gate import Finding
from bridge.core.outcome import Accepted, Denied, Outcome, Rejected, Throttled, Unavailable
from bridge.core.record import Decoded, Refused
from bridge.core.redact import EMAIL
from bridge.telemetry.declarations import BUCKETS, DECLARED
from bridge.telemetry.metrics import REASONS, Metrics
from tests.core.records import STREAM, At, decoded, engine, limits, run_of
from tests.core.test_gate import engine as gated_engine
from tests.core.test_gate import snapshot
from tests.switching import threads_taking_turns_often
from tests.telemetry.in_use import Api, Dated, Source, View, told, used

# What a label may be, and how many values it can have at most.
BOUNDED = {
    "stream": "one of the streams",
    "operation": "one of the API calls",
    "outcome": "one of the outcomes",
    "reason": "one of the reasons that Refused lists",
    "limit": "consecutive or share",
    "field": "a field that a stream declares",
    "problem": "one of the few that a stream looks for",
    "result": "equal, applied, failed, or refused for one of a few reasons; done, an outcome, or a few more",
    "output": "one of the output topics' names",
    "cause": "one of the outcomes that make wait, or parked",
    "app": "one of as many apps as http.metrics_apps allows, or other",
    "partition": "a partition of the topic",
    "since": "kafka or event",
    "api": "push or export",
    "event": "assigned, revoked or lost",
    "kind": "posted, deleted, rejected; adds, changes, leavers",
    "version": "one in a process",
    "le": "a bucket",
}
THINGS = "Records|Requests|Rounds|Rows|Times|Entries|Partitions|Offsets|Apps|Seconds|Brokers|Connections"
CAUSES = ("throttled", "unavailable", "in_doubt", "denied")
UNITS = rf"^({THINGS}|1 (while|once)|The version)\b"


def families(metrics: Metrics) -> list[Metric]:
    return list(metrics.registry.collect())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    found: float | None = metrics.registry.get_sample_value(name, labels)
    return found


def since(metrics: Metrics, moment: str, what: str) -> float | None:
    return value(metrics, f"bridge_delay_seconds_{what}", stream=STREAM.name, since=moment)


def taken(records: Decoded) -> Batch:
    """A batch of these records, on its way for the first time."""
    made = engine(limits(len(records.docs)))
    made.receive(records, 0.0)
    batch = made.take(0.0)
    assert batch is not None
    return batch


def stream_value(metrics: Metrics, name: str) -> float | None:
    return value(metrics, name, stream=STREAM.name)


# -- what every metric keeps to ------------------------------------------------------------------------------


def by_name(found: Iterable[Metric]) -> dict[str, Metric]:
    return {metric.name: metric for metric in found}


METRICS = by_name(families(used()[0]))


@pytest.mark.parametrize("name", METRICS)
def test_its_name_is_ours_and_its_help_is_a_sentence_that_says_what_is_counted(name: str) -> None:
    assert re.fullmatch(r"bridge(_[a-z]+)+", name)
    help_text = METRICS[name].documentation
    assert re.match(UNITS, help_text), help_text
    assert help_text.endswith(".")
    assert name.endswith("_seconds") == help_text.startswith("Seconds")


@pytest.mark.parametrize("name", METRICS)
def test_its_labels_are_bounded(name: str) -> None:
    assert METRICS[name].samples, "one of everything has happened, and it shows nothing"
    for sample in METRICS[name].samples:
        assert sample.labels.keys() <= BOUNDED.keys()


def test_all_outcomes_have_labels_of_their_own() -> None:
    labels = [outcome.label for outcome in get_args(Outcome)]
    assert len(set(labels)) == len(labels) == 6
    assert all(re.fullmatch("[a-z_]+", label) for label in labels)


def test_what_is_declared_is_shown_and_nothing_else() -> None:
    assert METRICS.keys() == DECLARED.keys()
    for name, declared in DECLARED.items():
        assert METRICS[name].type == declared.kind
        labels = {label for sample in METRICS[name].samples for label in sample.labels}
        assert labels - {"le"} == set(declared.labels)


# -- what they say -------------------------------------------------------------------------------------------


def test_each_request_is_counted_by_what_it_came_to() -> None:
    metrics = Metrics(lambda: 0.0)
    for outcome in (Accepted(), Accepted(), Throttled(429), Unavailable("down")):
        metrics.request("publish", outcome, 0.2)
    count = "bridge_requests_total"
    assert value(metrics, count, operation="publish", outcome="accepted") == 2
    assert value(metrics, count, operation="publish", outcome="throttled") == 1
    assert value(metrics, "bridge_request_seconds_count", operation="publish") == 4
    assert value(metrics, "bridge_request_seconds_sum", operation="publish") == pytest.approx(0.8)
    assert value(metrics, "bridge_request_seconds_bucket", operation="publish", le="0.1") == 0
    assert value(metrics, "bridge_request_seconds_bucket", operation="publish", le="0.25") == 4


def test_buckets_reach_past_the_longest_request() -> None:
    assert BUCKETS["bridge_request_seconds"][-1] == 60


@pytest.mark.parametrize("name", BUCKETS)
def test_buckets_grow(name: str) -> None:
    assert DECLARED[name].buckets == tuple(sorted(set(BUCKETS[name])))


def test_an_accepted_batch_tells_its_size_and_the_delay_of_its_first_record() -> None:
    metrics, _ = used()
    assert stream_value(metrics, "bridge_batch_records_sum") == 2
    assert since(metrics, "kafka", "sum") == 7.0


def test_the_delay_is_told_from_the_event_too_where_the_records_tell_their_time() -> None:
    metrics, _ = used()
    assert since(metrics, "event", "sum") == 107.0  # the first record's field says the very begin of 1970
    metrics.sent(STREAM, taken(run_of(1)), Accepted())
    assert since(metrics, "event", "count") == 1


@pytest.mark.parametrize("outcome", [Rejected(400, "bad"), Unavailable("down"), Denied(401, "no")])
def test_a_batch_that_was_not_accepted_tells_neither(outcome: Outcome) -> None:
    metrics = Metrics(lambda: 0.0)
    metrics.sent(STREAM, taken(run_of(2)), outcome)
    assert stream_value(metrics, "bridge_batch_records_count") is None
    assert since(metrics, "kafka", "count") is None


def test_a_record_without_a_time_has_no_delay_and_one_from_the_future_none_below_zero() -> None:
    metrics = Metrics(lambda: 50.0)
    for origin, count in ((At((0, 0)), None), (Dated((0, 0)), 1)):
        records = run_of(1)
        records.origins = [origin]
        metrics.sent(STREAM, taken(records), Accepted())
        assert since(metrics, "kafka", "count") == count
    assert since(metrics, "kafka", "sum") == 0


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
    samples = by_name(families(metrics))["bridge_app_held_up"].samples
    return {(sample.labels["app"], sample.labels["cause"]): sample.value for sample in samples}


def test_only_what_was_sent_before_is_a_retry() -> None:
    metrics, _ = used()
    batch = taken(run_of(1))
    metrics.sent(STREAM, batch, Unavailable("down"))
    assert stream_value(metrics, "bridge_retries_total") == 0
    batch.attempts += 1
    metrics.sent(STREAM, batch, Accepted())
    assert stream_value(metrics, "bridge_retries_total") == 1


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


def test_counters_of_faults_begin_at_0_before_there_is_one() -> None:
    metrics = Metrics(lambda: 0.0)
    metrics.watch("usage", View(engine()), told())
    metrics.watch_source("apps", Source(), told())
    for reason in REASONS:
        assert value(metrics, "bridge_dead_letters_total", stream="usage", reason=reason) == 0
    for name in ("gap_seconds", "overlaps_shortened", "rows_polled"):
        assert value(metrics, f"bridge_{name}_total", stream="apps") == 0
    for stream in ("usage", "apps"):
        assert value(metrics, "bridge_rebalances_total", stream=stream, event="lost") == 0
    metrics.rebalanced("usage", "lost")
    assert value(metrics, "bridge_rebalances_total", stream="usage", event="lost") == 1


def test_what_a_gate_holds_shows() -> None:
    metrics, view = used()
    view.engine = gated_engine()
    view.engine.receive(snapshot(1, 3, size=9), 0.0)
    assert stream_value(metrics, "bridge_records_gathering") == 3


def test_a_lag_that_nobody_knows_yet_is_not_shown_as_none() -> None:
    metrics = Metrics(lambda: 0.0)
    metrics.watch(STREAM.name, View(engine()), told())
    assert stream_value(metrics, "bridge_lag_records") is None
    assert stream_value(metrics, "bridge_records_outstanding") == 0


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


def test_dead_letters_are_counted_by_reason() -> None:
    metrics = Metrics(lambda: 0.0)
    refused = [
        Refused(At((0, n)), reason, "so") for n, reason in enumerate(("invalid", "invalid", "rejected"))
    ]
    metrics.dead_lettered("usage", refused)
    assert value(metrics, "bridge_dead_letters_total", stream="usage", reason="invalid") == 2
    assert value(metrics, "bridge_dead_letters_total", stream="usage", reason="rejected") == 1


def test_findings_count_the_records_concerned() -> None:
    metrics = Metrics(lambda: 0.0)
    for records in (3, 4):
        metrics.found("org_chart", Finding("managerEmail", "cycle", records))
    labels = {"stream": "org_chart", "field": "managerEmail", "problem": "cycle"}
    assert value(metrics, "bridge_findings_total", **labels) == 7


def test_two_processes_share_nothing() -> None:
    one, other = Metrics(lambda: 0.0), Metrics(lambda: 0.0)
    one.request("publish", Accepted(), 0.1)
    assert value(other, "bridge_requests_total", operation="publish", outcome="accepted") is None


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
