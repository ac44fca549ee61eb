from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.sandbox import CONNECTOR_WRITE, AuditPlan
from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver, Hands

PATH = "/services/export/v1/customer/audit-events"


def at(seconds: float) -> str:
    """A time so many seconds after the hands' first one."""
    return datetime.fromtimestamp(1_767_225_600 + seconds, UTC).isoformat(timespec="milliseconds")


def ask(driver: Driver, **query: str) -> httpx2.Response:
    return driver.call("GET", PATH, params=query)


def pages(driver: Driver, between: Callable[[], None] = lambda: None, **query: str) -> list[dict[str, Any]]:
    found = [ask(driver, **query).json()]
    while token := found[-1].get("nextPageToken"):
        between()
        found.append(ask(driver, **query, nextPageToken=token).json())
    return found


def ids(answers: list[dict[str, Any]]) -> list[str]:
    return [event["eventId"] for answer in answers for event in answer["events"]]


def add(driver: Driver, *events: dict[str, Any]) -> list[str]:
    answer = driver.http.post("/_sandbox/audit-events", json={"events": events})
    assert answer.status_code == 200, answer.text
    added: list[str] = answer.json()["eventIds"]
    return added


def test_a_planned_event_has_the_fields_of_the_api_and_the_same_ones_each_time(start: Start) -> None:
    plan = AuditPlan(per_second=1, history_events=3, late_share=0)
    first, same, other = (start(audit_events=plan, seed=seed) for seed in (1, 1, 2))
    events = ask(first).json()["events"]
    assert len(events) == 3
    for event in events:
        assert event.keys() == {"eventId", "eventType", "timestamp", "userEmail", "details"}
        assert "2025-12-31T23:59:57.000Z" <= event["timestamp"] < "2026-01-01T00:00:00.000Z"
        assert event["details"]["applicationId"]
    assert ask(same).json()["events"] == events
    assert ask(other).json()["events"] != events
    assert first.state()["company"]["audit_events"] == {"planned": 3, "posted": 0}


def test_events_come_with_the_clock_up_to_their_total(start: Start, hands: Hands) -> None:
    driver = start(audit_events=AuditPlan(per_second=2, total=15, late_share=0))
    counts = []
    for _ in range(3):
        hands.now += 5
        counts.append(len(ask(driver).json()["events"]))
    assert counts == [10, 15, 15]


def test_a_range_takes_its_start_and_leaves_its_end(sandbox: Driver) -> None:
    added = add(sandbox, *({"timestamp": at(-seconds)} for seconds in (3, 2, 1)))
    assert ids(pages(sandbox, startTime=at(-3), endTime=at(-1))) == added[:2]
    assert ids(pages(sandbox, startTime=at(-2.999), endTime=at(-0.999))) == added[1:]
    assert ids(pages(sandbox, startTime=at(-2), endTime=at(-2))) == []
    assert ids(pages(sandbox, startTime="2025-12-31T23:59:58.0001Z", endTime=at(0))) == added[2:]
    assert ids(pages(sandbox, startTime="2026-01-01T00:59:57+01:00")) == added


def test_five_hundred_a_page(sandbox: Driver) -> None:
    added = add(sandbox, *({"timestamp": at(-1000 + n)} for n in range(500)))
    assert [len(page["events"]) for page in pages(sandbox)] == [500]
    added += add(sandbox, {"timestamp": at(-1)})
    found = pages(sandbox)
    assert [len(page["events"]) for page in found] == [500, 1]
    assert ids(found) == added


def test_a_late_event_shows_up_in_its_old_place_and_a_pass_beyond_it_misses_it(
    sandbox: Driver, hands: Hands
) -> None:
    add(sandbox, *({"timestamp": at(-2000 + n)} for n in range(600)))
    (late,) = add(sandbox, {"timestamp": at(-1999.5), "visible_in_seconds": 10})

    def comes_to_be_seen() -> None:
        hands.now += 10

    assert late not in ids(pages(sandbox, startTime=at(-3000), endTime=at(0), between=comes_to_be_seen))
    assert ids(pages(sandbox))[1] == late


def test_fields_by_hand_replace_those_made_up(sandbox: Driver) -> None:
    given = {"eventId": "e", "timestamp": "2025-12-31T10:00:00.123456+02:00", "details": None, "extra": 5}
    add(sandbox, given)
    (event,) = ask(sandbox).json()["events"]
    assert event.items() >= given.items()
    (shown,) = sandbox.http.get("/_sandbox/audit-events").json()["items"]
    assert shown == {**event, "visibleAt": "2026-01-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({}, "timestamp"),
        ({"timestamp": "2026-01-01T00:00:00"}, "timestamp"),
        ({"timestamp": 5}, "timestamp"),
        ({"timestamp": at(0), "visible_in_seconds": "1"}, "visible_in_seconds"),
        ({"timestamp": at(0), "visible_in_seconds": -1}, "visible_in_seconds"),
        ({"timestamp": at(0), "visible_in_seconds": 1e300}, "visible_in_seconds"),
        ({"timestamp": at(0), "eventId": 5}, "eventId"),
        ({"timestamp": at(-9), "eventId": "there"}, "same"),
        (5, "objects"),
    ],
)
def test_bad_events_by_hand_are_refused_whole(sandbox: Driver, event: Any, says: str) -> None:
    add(sandbox, {"timestamp": at(-9), "eventId": "there"})
    answer = sandbox.http.post("/_sandbox/audit-events", json={"events": [{"timestamp": at(-1)}, event]})
    assert answer.status_code == 400
    assert says in answer.json()["message"]
    assert ids(pages(sandbox)) == ["there"]


def test_events_by_hand_are_bounded(start: Start) -> None:
    driver = start(max_held=1)
    add(driver, {"timestamp": at(-1)})
    answer = driver.http.post("/_sandbox/audit-events", json={"events": [{"timestamp": at(-2)}]})
    assert (answer.status_code, len(ids(pages(driver)))) == (400, 1)


DAY = 86_400


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"startTime": "2026-01-01T00:00:00"}, "startTime"),
        ({"endTime": "yesterday"}, "endTime"),
        ({"startTime": at(0), "endTime": at(-1)}, "after"),
        ({"startTime": at(-30 * DAY - 0.001), "endTime": at(0)}, "30 days"),
        ({"startTime": at(-30 * DAY - 0.001)}, "30 days"),
        ({"startTime": at(-180 * DAY - 0.001), "endTime": at(-179 * DAY)}, "180 days"),
        ({"nextPageToken": ""}, "nextPageToken"),
        ({"nextPageToken": "ü"}, "nextPageToken"),
        ({"nextPageToken": "bm90IG91cnMsIGJ1dCBiYXNlNjQ="}, "nextPageToken"),
    ],
)
def test_a_bad_query_is_400_and_says_why(sandbox: Driver, query: dict[str, str], says: str) -> None:
    answer = ask(sandbox, **query)
    assert answer.status_code == 400
    assert says in answer.json()["message"]


def test_the_longest_range_and_the_oldest_start_are_good(sandbox: Driver) -> None:
    for start in (-30, -180):
        query = {"startTime": at(start * DAY), "endTime": at((start + 30) * DAY)}
        assert ask(sandbox, **query).json() == {"events": []}


def test_a_token_is_good_for_its_query_only(sandbox: Driver) -> None:
    add(sandbox, *({"timestamp": at(-1000 + n)} for n in range(600)))
    query = {"startTime": at(-2000), "endTime": at(0)}
    token = ask(sandbox, **query).json()["nextPageToken"]
    assert len(ask(sandbox, **query, nextPageToken=token).json()["events"]) == 100
    others: list[dict[str, str]] = [{**query, "startTime": at(-1999)}, {**query, "endTime": at(1)}, {}]
    statuses = [ask(sandbox, **other, nextPageToken=token).status_code for other in others]
    statuses.append(ask(sandbox, **query, nextPageToken=token[:-4] + "AAAA").status_code)
    assert statuses == [400] * 4
    sandbox.http.post("/_sandbox/reset")
    sandbox.login()
    assert ask(sandbox, **query, nextPageToken=token).status_code == 400


def test_the_trail_needs_the_reading_scope(sandbox: Driver) -> None:
    sandbox.login(scope=CONNECTOR_WRITE)
    assert ask(sandbox).status_code == 403


def test_a_reset_begins_the_plan_again_and_forgets_what_came_by_hand(start: Start, hands: Hands) -> None:
    driver = start(audit_events=AuditPlan(per_second=1, late_share=0))
    add(driver, {"timestamp": at(-1)})
    hands.now += 4
    assert len(ids(pages(driver))) == 5
    driver.http.post("/_sandbox/reset")
    driver.login()
    assert "audit_events" not in driver.state()["company"] or ids(pages(driver)) == []
    hands.now += 2
    assert len(ids(pages(driver))) == 2


@pytest.fixture
def unlimited(start: Start) -> Driver:
    return start(export_rate_limit=None)


# Milliseconds after the start of the range, how many, and in how many seconds they can be seen.
GROUPS = st.lists(
    st.tuples(st.integers(-1, 30), st.integers(1, 400), st.sampled_from([0, 0, 1, 3, 1000])), max_size=7
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(GROUPS, st.integers(0, 31))
def test_what_can_be_seen_throughout_is_on_exactly_one_page(
    unlimited: Driver, hands: Hands, groups: list[tuple[int, int, int]], end: int
) -> None:
    unlimited.http.post("/_sandbox/reset")
    unlimited.login()
    hands.now = 1_767_225_600.0
    events: list[dict[str, Any]] = [
        # Ids that are in another order than the events came in.
        {"eventId": f"{n * 7919 % 1000:03d}-{group}", "timestamp": at(ms / 1000), "visible_in_seconds": late}
        for group, (ms, count, late) in enumerate(groups)
        for n in range(count)
    ]
    add(unlimited, *events)

    def a_second_passes() -> None:
        hands.now += 1

    found = pages(unlimited, a_second_passes, startTime=at(0), endTime=at(end / 1000))
    inside = [event for event in events if at(0) <= event["timestamp"] < at(end / 1000)]
    seen = [(event["timestamp"], event["eventId"]) for page in found for event in page["events"]]
    tokens = [page["nextPageToken"] for page in found[:-1]]
    assert len(set(tokens)) == len(tokens)
    assert all(len(page["events"]) == 500 for page in found[:-1])
    assert seen == sorted(set(seen))
    assert {event["eventId"] for event in inside if event["visible_in_seconds"] == 0} <= set(ids(found))
    assert set(ids(found)) <= {event["eventId"] for event in inside if event["visible_in_seconds"] < 1000}
