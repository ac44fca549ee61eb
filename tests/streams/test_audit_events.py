"""Audit events: settings become bounds in their units, and an event as the API has it a record."""

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.core.polling import Ask, Emission, Gap, Json, Page, Step, Write
from bridge.core.stream import Operation
from bridge.streams.audit_events import AUDIT_EVENTS, AuditEventsOptions

NEW_YEAR, DAY = 1_767_225_600_000, 86_400_000
ROW = {
    "eventId": "500123",
    "eventType": "app_status_changed",
    "timestamp": "2025-12-31T10:30:00.250+02:00",
    "userEmail": "ada@example.com",
    "details": {"from": "In Review", "to": ["Approved"]},
    "Severity": 3,
}


def steps(options: dict[str, Any], rows: list[Any], cursor: dict[str, Json] | None = None) -> list[Step]:
    """What a round at the new year comes to; the first window holds the rows."""
    cursor = {} if cursor is None else cursor
    poll = AUDIT_EVENTS.poll(AuditEventsOptions(**options), cursor, NEW_YEAR)
    found: list[Step] = []
    answers = iter([[Page(rows)]])
    try:
        step = next(poll)
        while True:
            found.append(step)
            if isinstance(step, Write):
                cursor.update({name: entry for name, entry in step.remember.items() if entry is not None})
            step = poll.send([] if isinstance(step, Write | Gap) else next(answers, [Page([])]))
    except StopIteration:
        return found


def windows(options: dict[str, Any], cursor: dict[str, Json] | None = None) -> list[tuple[str, str]]:
    asks = [step[0] for step in steps(options, [], cursor) if isinstance(step, tuple)]
    return [(ask.parameters["startTime"], ask.parameters["endTime"]) for ask in asks]


def test_the_first_round_reads_a_week() -> None:
    week = {"startTime": "2025-12-25T00:00:00Z", "endTime": "2026-01-01T00:00:00Z"}
    assert steps({}, [])[1] == (Ask(Operation.GET_AUDIT_EVENTS, parameters=week),)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"lookback_days": 1}, [("2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z")]),
        ({"start": "2025-12-31T23:30:00+01:00"}, [("2025-12-31T22:30:00Z", "2026-01-01T00:00:00Z")]),
        (
            {"lookback_days": 2, "max_window_days": 1},
            [
                ("2025-12-30T00:00:00Z", "2025-12-31T00:00:00Z"),
                ("2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z"),
            ],
        ),
        ({"max_age_days": 1}, [("2025-12-31T00:01:00Z", "2026-01-01T00:00:00Z")]),
    ],
)
def test_settings_are_in_days(options: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert windows(options) == found


@pytest.mark.parametrize(("options", "begin"), [({}, "23:30:00"), ({"overlap_minutes": 5}, "23:55:00")])
def test_the_overlap_is_in_minutes(options: dict[str, Any], begin: str) -> None:
    cursor: dict[str, Json] = {}
    steps({}, [], cursor)
    assert windows(options, cursor) == [(f"2025-12-31T{begin}Z", "2026-01-01T00:00:00Z")]
    assert AUDIT_EVENTS.position(cursor) == NEW_YEAR


def test_a_time_to_start_at_needs_a_zone() -> None:
    with pytest.raises(ValidationError):
        AuditEventsOptions.model_validate({"start": "2025-12-31T00:00:00"})


def test_an_event_becomes_a_record() -> None:
    *_, last = steps({}, [ROW])
    assert isinstance(last, Write)
    at = NEW_YEAR - DAY + 8 * 3_600_000 + 30 * 60_000 + 250
    record = {
        "eventId": "500123",
        "eventType": "app_status_changed",
        "timestamp": at,
        "userEmail": "ada@example.com",
        "details": '{"from":"In Review","to":["Approved"]}',
        "extra": {"Severity": "3"},
    }
    assert last.emissions == [Emission("audit_events", "500123", record, at)]


def test_a_cursor_can_be_set() -> None:
    assert AUDIT_EVENTS.moved is not None
    cursor = {name: entry for name, entry in AUDIT_EVENTS.moved({}, NEW_YEAR - DAY).items() if entry}
    assert AUDIT_EVENTS.position(cursor) == NEW_YEAR - DAY
    assert windows({}, cursor) == [("2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z")]
