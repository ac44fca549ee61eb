"""The job runs by the clock, so that all processes of a bridge mean the same moment."""

import pytest

from bridge.reconcile.job import seconds_to_next

DAY = 86_400.0
MIDNIGHT = 1_767_225_600.0  # 2026-01-01 UTC


@pytest.mark.parametrize(
    ("wall", "interval", "seconds"),
    [
        (MIDNIGHT + 1, DAY, DAY - 1),
        (MIDNIGHT - 60, DAY, 60),
        (MIDNIGHT, DAY, DAY),  # the one of this moment is just over
        (MIDNIGHT + 3 * 3600, 6 * 3600.0, 3 * 3600.0),
    ],
)
def test_the_next_run_is_at_a_whole_multiple(wall: float, interval: float, seconds: float) -> None:
    assert seconds_to_next(wall, interval) == seconds
