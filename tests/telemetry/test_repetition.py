"""What is said again and again is said from time to time."""

from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bridge.telemetry.repetition import MAX_KINDS, REPEATING, Repetition


class Log:
    """What passes, at times that are set by hand."""

    def __init__(self, seconds: float = 10.0) -> None:
        self.now = 100.0
        self.kept = Repetition(seconds, lambda: self.now)

    def say(self, event: str, **values: Any) -> dict[str, Any] | None:
        try:
            return dict(self.kept(None, "warning", {"event": event, **values}))
        except structlog.DropEvent:
            return None


def test_one_passes_and_the_next_tells_how_many_did_not() -> None:
    log = Log()
    first = log.say("batch_not_accepted", stream="usage", batch="a")
    assert first == {"event": "batch_not_accepted", "stream": "usage", "batch": "a"}
    log.now += 9.9
    assert [log.say("batch_not_accepted", stream="usage") for _ in range(3)] == [None] * 3
    log.now += 0.1
    assert log.say("batch_not_accepted", stream="usage") == {
        "event": "batch_not_accepted",
        "stream": "usage",
        "held_back": 3,
    }
    log.now += 10
    assert log.say("batch_not_accepted", stream="usage") == {"event": "batch_not_accepted", "stream": "usage"}


def test_each_stream_topic_outcome_and_event_is_for_itself() -> None:
    log = Log()
    denied, refused = {"stream": "usage", "outcome": "denied"}, {"stream": "usage", "result": "refused"}
    for values in ({"stream": "usage"}, {"stream": "users"}, {"topic": "t"}, denied, refused):
        assert log.say("round_failed", **values)
        assert not log.say("round_failed", **values)
    assert log.say("batch_not_accepted", stream="usage")


def test_a_connection_that_fails_is_told_once_for_each_client() -> None:
    log, fails = Log(), "FAIL [rdkafka#consumer-{}] [thrd:kafka:9092/1]: kafka:9092/1: Connect failed"
    assert log.say("librdkafka", message=fails.format(1))
    assert not log.say("librdkafka", message=fails.format(1).replace("/1", "/2"))
    assert log.say("librdkafka", message=fails.format(2))
    assert all(log.say("librdkafka", message="CONNECT [rdkafka#consumer-1]: asks") for _ in range(5))


@pytest.mark.parametrize("event", ["records_in_doubt", "flood_guard_tripped", "app_parked", "librdkafka"])
def test_what_happens_once_is_always_told(event: str) -> None:
    log = Log()
    assert event not in REPEATING
    assert all(log.say(event, stream="usage") for _ in range(5))


def test_nothing_is_held_back_where_that_is_wanted() -> None:
    log = Log(0.0)
    assert all(log.say("batch_not_accepted", stream="usage") for _ in range(5))


@given(st.lists(st.floats(0, 30), max_size=60))
def test_all_are_told_or_counted(waits: list[float]) -> None:
    log, told, waiting = Log(), 0, 0
    for wait in waits:
        log.now += wait
        line = log.say("commit_failed", topic="t")
        waiting += line is None
        if line is not None:
            told += 1 + line.get("held_back", 0)
            assert line.get("held_back", 0) == waiting
            waiting = 0
    assert told + waiting == len(waits)


def test_it_does_not_grow_without_bounds() -> None:
    log = Log()
    for number in range(MAX_KINDS + 1):
        log.say("commit_failed", topic=str(number))
    assert log.say("commit_failed", topic="0")
    assert not log.say("commit_failed", topic=str(MAX_KINDS))
