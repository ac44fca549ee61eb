"""What is kept of the last hour, and what is drawn of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.telemetry.status.history import COLUMNS, EVERY_SECONDS, KEPT_SECONDS, History


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    history = History()
    for second in range(60):
        history.note(float(second), 100 * second if second < 30 else 3000 + 7 * (second - 30), None, True)
    assert history.rate == 7.0


def test_a_stream_that_has_just_begun_has_no_rate() -> None:
    history = History()
    assert history.rate == 0.0
    history.note(0.0, 5, None, True)
    assert history.rate == 0.0


def test_what_is_drawn_are_rates_and_the_worst_of_how_far_behind() -> None:
    history = History()
    for second, total, behind in ((0, 0, None), (5, 50, 3), (10, 150, 9), (15, 150, 4)):
        history.note(float(second), total, behind, True)
    assert history.plots.flow == (10.0, 20.0, 0.0)
    assert history.plots.behind == (3, 9, 4)
    assert history.plots.seconds == 15.0


def test_nobody_knows_is_a_hole() -> None:
    history = History()
    for second in (0.0, EVERY_SECONDS):
        history.note(second, 0, None, True)
    assert history.plots.behind == (None,)


def test_samples_are_taken_no_more_often_than_they_are_drawn() -> None:
    history = History()
    for tenth in range(100):
        history.note(tenth / 10, tenth, 0.0, True)
    assert len(history.plots.flow) == 1


def test_an_hour_is_kept_and_drawn_in_as_many_columns_as_there_are() -> None:
    history = History()
    for step in range(2000):
        history.note(step * EVERY_SECONDS, step, step, True)
    assert history.plots.seconds == KEPT_SECONDS
    assert len(history.plots.flow) == len(history.plots.behind) == COLUMNS
    assert history.plots.behind[-1] == 1999


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=900))
def test_the_columns_add_up_to_what_went_through(steps: list[int]) -> None:
    history, total = History(), 0
    for index, step in enumerate(steps):
        total += step
        history.note(index * EVERY_SECONDS, total, None, True)
    plots = history.plots
    assert len(plots.flow) <= COLUMNS
    kept = sum(steps[-int(KEPT_SECONDS / EVERY_SECONDS) :]) if len(steps) > 721 else sum(steps[1:])
    width = -(-min(len(steps) - 1, 720) // COLUMNS)
    last = (min(len(steps) - 1, 720) - 1) % width + 1  # the newest column may be narrower
    widths = [width] * (len(plots.flow) - 1) + [last]
    drawn = sum(rate * w * EVERY_SECONDS for rate, w in zip(plots.flow, widths, strict=True))
    assert drawn == pytest.approx(kept)


def test_still_is_only_who_has_something_to_do() -> None:
    history = History()
    for second, total, pending, still in (
        (0, 0, True, 0),
        (9, 0, True, 9),
        (10, 0, False, 0),
        (500, 0, False, 0),
        (501, 0, True, 1),
        (560, 0, True, 60),
        (561, 1, True, 0),
        (562, 1, True, 1),
    ):
        history.note(float(second), total, None, pending)
        assert history.still_seconds == still, second
