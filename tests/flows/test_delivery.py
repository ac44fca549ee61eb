"""Usage events from Kafka to the API on ordinary days: all arrive, bad ones are named, offsets follow."""

from typing import Any

from tests.flows.process import balanced, eventually
from tests.flows.setting import Stage, header, usage

APPS = ("crm", "wiki", "payroll")


def test_ten_poison_records_among_ten_thousand_hurt_no_other(stage: Stage) -> None:
    """Ten that do not decode, ten that the API refuses without saying which of a batch it means."""
    stage.fault(kind="poison", marker="poison", per_item=False)
    mixed: list[dict[str, Any] | bytes] = [usage(n, APPS[n % 3]) for n in range(9_980)]
    refused = [usage(20_000 + n, APPS[n % 3], eventName="poison") for n in range(10)]
    noise = [b"\xff\xfe noise %d" % n for n in range(10)]
    bad: list[dict[str, Any] | bytes] = [*refused, *noise]
    for n, record in enumerate(bad):
        mixed.insert(400 * n, record)
    stage.produce(mixed)
    bridge = stage.bridge().start()
    stage.delivered(9_980)
    eventually(lambda: bridge.has_settled(10_000), "the dead letters are written")
    assert stage.accepted() == set(range(9_980))
    assert stage.duplicates() == 0
    assert stage.reasons() == {"rejected": 10, "undecodable": 10}
    books = bridge.books()
    assert balanced(books)
    assert (books["received"], books["delivered"], books["dead_lettered"]) == (10_000, 9_980, 20)
    assert bridge.stop() == 0
    assert stage.committed() == 10_000


def test_a_dead_letter_is_the_record_as_it_was_and_says_why(stage: Stage) -> None:
    stage.produce([usage(1), usage(2, timestamp=1_700_000_000), usage(3)])
    bridge = stage.bridge().start()
    stage.delivered(2)
    eventually(lambda: bridge.books()["dead_lettered"] == 1, "the dead letter is written")
    [dead] = stage.buried()
    assert b'"timestamp": 1700000000' in (dead.value() or b"")
    assert dead.key() == b"1"
    assert header(dead, "from") == "a test"
    assert header(dead, "bridge.topic") == stage.topic
    assert header(dead, "bridge.partition").isdigit()
    assert header(dead, "bridge.offset").isdigit()
    assert int(header(dead, "bridge.timestamp")) > 1_700_000_000_000
    assert header(dead, "bridge.reason") == "invalid"
    assert "milliseconds" in header(dead, "bridge.detail")
    assert "@" not in header(dead, "bridge.detail")


def test_what_the_api_said_of_a_record_is_in_its_dead_letter(stage: Stage) -> None:
    stage.fault(kind="poison", marker="poison", per_item=True)
    stage.produce([usage(1), usage(2, eventName="poison")])
    bridge = stage.bridge().start()
    eventually(lambda: bridge.books()["dead_lettered"] == 1, "the dead letter is written")
    [dead] = stage.buried()
    assert header(dead, "bridge.status") == "400"
    assert header(dead, "bridge.response")
    assert header(dead, "bridge.attempts") == "1"
    assert len(header(dead, "bridge.batch")) == 32
    stage.delivered(1)


def test_five_megabytes_of_noise_become_one_dead_letter(real_stage: Stage) -> None:
    stage = real_stage
    stage.produce([usage(1), b"\x00" * 5_000_000, usage(2)])
    bridge = stage.bridge().start()
    stage.delivered(2)
    eventually(lambda: bridge.books()["dead_lettered"] == 1, "the dead letter is written")
    assert [len(dead.value() or b"") for dead in stage.buried()] == [5_000_000]


def test_a_dead_letter_too_large_for_its_topic_is_cut_and_says_so(real_stage: Stage) -> None:
    stage = real_stage
    stage.dead_letters = stage.kafka.create_topic("small-dead", 1, max_message_bytes=1_000_000)
    stage.produce([b"\x00" * 5_000_000])
    bridge = stage.bridge().start()
    eventually(lambda: bridge.books()["dead_lettered"] == 1, "the dead letter is written")
    [dead] = stage.buried()
    assert header(dead, "bridge.value-bytes") == "5000000"
    assert 0 < len(dead.value() or b"") < 1_000_000


def test_batches_are_full_under_backlog_and_hold_one_app_each(stage: Stage) -> None:
    stage.produce([usage(n, APPS[n % 3]) for n in range(9_000)])
    bridge = stage.bridge(batch={"max_age_seconds": 30}).start()
    stage.delivered(9_000)
    batches = sum(app["usage"]["batches"] for app in stage.state()["apps"].values())
    assert stage.state()["largest_batch"] == 1000
    assert batches == 9
    assert bridge.metric("bridge_batch_records_count", stream="usage") == batches


def test_identical_events_are_sent_once_and_counted(stage: Stage) -> None:
    stage.produce([usage(n % 100) for n in range(300)])
    bridge = stage.bridge(batch={"max_age_seconds": 2.0}).start()
    eventually(lambda: bridge.has_settled(300), "all settled")
    books = bridge.books()
    assert balanced(books)
    assert stage.accepted() == set(range(100))
    assert books["superseded"] + books["delivered"] == 300
    assert books["superseded"] > 0


def test_the_app_of_a_record_may_be_a_name_for_a_productiv_id(stage: Stage) -> None:
    bridge = stage.bridge()
    bridge.change(apps={"names": {"CRM": "500123"}, "unknown": "dead_letter"})
    stage.produce([usage(1, "CRM"), usage(2, "nobody knows")])
    bridge.start()
    stage.delivered(1)
    eventually(lambda: bridge.books()["dead_lettered"] == 1, "the dead letter is written")
    assert list(stage.state()["apps"]) == ["500123"]
    assert stage.reasons() == {"unknown_app": 1}


def test_it_is_ready_when_it_has_partitions_and_a_token(stage: Stage) -> None:
    bridge = stage.bridge().start()
    eventually(lambda: bridge.status("/readyz")[0] == 200, "it is ready")
    assert bridge.status("/healthz")[0] == 200
    assert bridge.metric("bridge_assigned_partitions", stream="usage") == 4


def test_nothing_personal_and_no_secret_is_in_logs_and_metrics(stage: Stage) -> None:
    stage.fault(kind="poison", marker="poison", per_item=True)
    stage.fault(kind="status", status=503, times=2)
    stage.produce(
        [usage(n, eventName="poison" if n % 5 == 0 else "opened") for n in range(50)] + [b"x@example.com"]
    )
    bridge = stage.bridge().start()
    stage.delivered(40)
    eventually(lambda: bridge.books()["outstanding"] == 0, "all settled")
    bridge.stop()
    text = bridge.log.read_text()
    assert "example.com" not in text
    assert "sandbox-secret" not in text
    assert "Bearer" not in text
    assert all("example.com" not in str(dead.headers()) for dead in stage.buried())


def test_metrics_say_what_happened(stage: Stage) -> None:
    stage.fault(kind="status", status=429, retry_after=0, times=1)
    stage.produce([usage(n) for n in range(2_000)])
    bridge = stage.bridge(batch={"max_age_seconds": 30}).start()
    stage.delivered(2_000)
    eventually(lambda: bridge.metric("bridge_lag_records", stream="usage") == 0, "the lag is gone")
    assert bridge.metric("bridge_requests_total", outcome="throttled") == 1
    assert bridge.metric("bridge_requests_total", outcome="accepted") == 2
    assert bridge.metric("bridge_request_seconds_count") == 3
    assert bridge.metric("bridge_delay_seconds_count", stream="usage", since="kafka") == 2
    assert bridge.metric("bridge_build_info") == 1
