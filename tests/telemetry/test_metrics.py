import re
import threading
from collections.abc import Iterable
from typing import get_args

import pytest
from prometheus_client.core import Metric

from bridge.core.flood_guard import FloodLimits
from bridge.core.gate import Finding
from bridge.core.outcome import Accepted, Denied, Outcome, Rejected, Throttled, Unavailable
from bridge.core.record import Refused
from bridge.telemetry.metrics import REQUEST_SECONDS, Metrics
from tests.core.records import STREAM, At, decoded, engine, limits, run_of
from tests.core.test_gate import engine as gated_engine
from tests.core.test_gate import snapshot
from tests.switching import threads_taking_turns_often
from tests.telemetry.in_use import Dated, View, used

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
    "kind": "posted, deleted, rejected; adds, changes, leavers",
    "version": "one in a process",
    "le": "a bucket",
}
THINGS = "Records|Requests|Rounds|Rows|Times|Entries|Partitions|Offsets|Apps|Seconds"
UNITS = rf"^({THINGS}|1 (while|once)|The version)\b"


def families(metrics: Metrics) -> list[Metric]:
    return list(metrics.registry.collect())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    found: float | None = metrics.registry.get_sample_value(name, labels)
    return found


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
    assert REQUEST_SECONDS[-1] == 60
    assert list(REQUEST_SECONDS) == sorted(set(REQUEST_SECONDS))


def test_an_accepted_batch_tells_its_size_and_the_delay_of_its_first_record() -> None:
    metrics, _ = used()
    assert stream_value(metrics, "bridge_batch_records_sum") == 2
    assert stream_value(metrics, "bridge_delay_seconds_sum") == 7.0


@pytest.mark.parametrize("outcome", [Rejected(400, "bad"), Unavailable("down"), Denied(401, "no")])
def test_a_batch_that_was_not_accepted_tells_neither(outcome: Outcome) -> None:
    metrics = Metrics(lambda: 0.0)
    made = engine(limits(2))
    made.receive(run_of(2), 0.0)
    batch = made.take(0.0)
    assert batch is not None
    metrics.sent(STREAM.name, batch, outcome)
    assert stream_value(metrics, "bridge_batch_records_count") is None
    assert stream_value(metrics, "bridge_delay_seconds_count") is None


def test_a_record_without_a_time_has_no_delay_and_one_from_the_future_none_below_zero() -> None:
    metrics = Metrics(lambda: 50.0)
    for origin, count in ((At((0, 0)), None), (Dated((0, 0)), 1)):
        records = run_of(1)
        records.origins = [origin]
        made = engine(limits(1))
        made.receive(records, 0.0)
        batch = made.take(0.0)
        assert batch is not None
        metrics.sent(STREAM.name, batch, Accepted())
        assert stream_value(metrics, "bridge_delay_seconds_count") == count
    assert stream_value(metrics, "bridge_delay_seconds_sum") == 0


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
              "lanes_waiting", "denied", "apps_parked")  # fmt: skip
    assert [stream_value(metrics, f"bridge_{gauge}") for gauge in gauges] == [0, 12, 0, 1, 0, 0, 0]
    assert stream_value(metrics, "bridge_concurrency_limit") == 16
    view.engine.receive(decoded(*((0, 10 + n, app, n) for n, app in enumerate("aabbc"))), 0.0)
    first, second = view.engine.take(0.0), view.engine.take(0.0)
    assert first is not None
    assert second is not None
    view.engine.returned(first, Denied(401, "no"), 0.0)
    view.engine.park("d")
    view.lag = 4
    assert [stream_value(metrics, f"bridge_{gauge}") for gauge in gauges] == [5, 4, 1, 1, 1, 1, 1]


def test_what_a_gate_holds_shows() -> None:
    metrics, view = used()
    view.engine = gated_engine()
    view.engine.receive(snapshot(1, 3, size=9), 0.0)
    assert stream_value(metrics, "bridge_records_gathering") == 3


def test_a_lag_that_nobody_knows_yet_is_not_shown_as_none() -> None:
    metrics = Metrics(lambda: 0.0)
    metrics.watch(STREAM.name, View(engine()))
    assert stream_value(metrics, "bridge_lag_records") is None
    assert stream_value(metrics, "bridge_records_outstanding") == 0


def test_a_tripped_guard_shows() -> None:
    metrics = Metrics(lambda: 0.0)
    view = View(engine(limits(flood=FloodLimits(consecutive=1, share=None, window=1))))
    metrics.watch(STREAM.name, view)

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
    metrics.watch(STREAM.name, view)
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
