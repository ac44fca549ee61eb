from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.productiv.retry_after import retry_after

WALL = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)


def wait(value: str | None, cap: float = 300.0) -> float | None:
    return retry_after(value, wall=WALL.timestamp(), cap=cap)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", None),
        ("-5", None),
        ("+5", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("soon", None),
        ("5, 5", None),
        ("301", 300.0),
        ("9" * 5000, 300.0),
        ("Thu, 29 Feb 2024 12:01:30 GMT", 90.0),
        ("Thursday, 29-Feb-24 12:01:30 GMT", 90.0),
        ("Thu Feb 29 12:01:30 2024", 90.0),
        ("Thu, 29 Feb 2024 12:01:30", 90.0),
        ("Thu, 29 Feb 2024 14:01:30 +0200", 90.0),
        ("Thu, 29 Feb 2024 12:00:00 GMT", None),
        ("Thu, 29 Feb 2024 11:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
        ("Thu, 30 Feb 2024 12:00:00 GMT", None),
    ],
)
def test_reads_both_forms(value: str | None, seconds: float | None) -> None:
    assert wait(value) == seconds


@given(
    st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, [0-9]{1,4} [A-Z][a-z]{2} [0-9]{1,12} [0-9:]{1,9} .{0,6}\Z")
)
def test_never_raises_and_never_leaves_its_bounds(value: str) -> None:
    seconds = wait(value)
    assert seconds is None or 0 < seconds <= 300


@given(st.integers(min_value=1, max_value=10**9), st.floats(min_value=1, max_value=10**6))
def test_seconds_up_to_the_cap(asked: int, cap: float) -> None:
    assert wait(str(asked), cap) == min(float(asked), cap)


@given(st.integers(min_value=1, max_value=10**6))
def test_a_date_and_its_distance_say_the_same(distance: int) -> None:
    date = format_datetime(WALL + timedelta(seconds=distance), usegmt=True)
    assert wait(date, cap=10**7) == wait(str(distance), cap=10**7) == distance
