"""What is counted as it happens: requests, batches and their delay, dead letters, findings."""

import pytest

from bridge.core.batcher import Batch
from bridge.core.gate import Finding
from bridge.core.outcome import Accepted, Denied, Outcome, Rejected, Throttled, Unavailable
from bridge.core.record import Decoded, Refused
from bridge.telemetry.metrics import REASONS, Metrics
from tests.core.records import STREAM, At, engine, limits, run_of
from tests.telemetry.in_use import Dated, Source, View, told, used
from tests.telemetry.shown import stream_value, value


def since(metrics: Metrics, moment: str, what: str) -> float | None:
    return value(metrics, f"bridge_delay_seconds_{what}", stream=STREAM.name, since=moment)


def taken(records: Decoded) -> Batch:
    """A batch of these records, on its way for the first time."""
    made = engine(limits(len(records.docs)))
    made.receive(records, 0.0)
    batch = made.take(0.0)
    assert batch is not None
    return batch


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


def test_only_what_was_sent_before_is_a_retry() -> None:
    metrics, _ = used()
    batch = taken(run_of(1))
    metrics.sent(STREAM, batch, Unavailable("down"))
    assert stream_value(metrics, "bridge_retries_total") == 0
    batch.attempts += 1
    metrics.sent(STREAM, batch, Accepted())
    assert stream_value(metrics, "bridge_retries_total") == 1


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
