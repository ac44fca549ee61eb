"""Times on the command line."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import ConfigError
from bridge.export.moment import Moment, moment

NEW_YEAR = 1_767_225_600_000


@pytest.mark.parametrize(
    ("text", "ms", "assumed", "shown"),
    [
        ("2026-01-01", NEW_YEAR, True, "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00", NEW_YEAR, True, "2026-01-01T00:00:00Z"),
        (" 2026-01-01 00:00:01 ", NEW_YEAR + 1000, True, "2026-01-01T00:00:01Z"),
        ("2026-01-01T00:00Z", NEW_YEAR, False, "2026-01-01T00:00:00Z"),
        ("2026-01-01T01:00+01:00", NEW_YEAR, False, "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.25Z", NEW_YEAR + 250, False, "2026-01-01T00:00:00.250Z"),
        ("2026-01-01T00:00:00.000001Z", NEW_YEAR + 1, False, "2026-01-01T00:00:00.001Z"),
        ("1950-01-01", 0, True, "1970-01-01T00:00:00Z"),
        ("1969-12-31T23:59:59.9999Z", 0, False, "1970-01-01T00:00:00Z"),
    ],
)
def test_what_is_read(text: str, ms: int, assumed: bool, shown: str) -> None:
    at = moment(text, "--from")
    assert (at.ms, at.assumed_utc, str(at)) == (ms, assumed, shown)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-01",
        "1767225600000",
        "2026-02-30",
        "9999-12-31T23:59:59.9999",
        "9999-12-31T23:59-23:00",
    ],
)
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--from: .* is no time; write it like 2026-01-31"):
        moment(text, "--from")


@given(st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1)))
def test_no_kafka_timestamp_lies_between_a_time_and_what_is_read_of_it(at: datetime) -> None:
    """A record belongs to a half-open range by whole milliseconds, so a time is rounded up, never down."""
    read = moment(at.isoformat(), "--to")
    exact = at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    assert timedelta(0) <= timedelta(milliseconds=read.ms) - exact < timedelta(milliseconds=1)
    assert moment(str(read), "--to") == Moment(read.ms)
