from hypothesis import given
from hypothesis import strategies as st

from bridge.core.backoff import Backoff

WAITS = Backoff(initial=1.0, maximum=60.0)


def test_doubles_up_to_its_maximum() -> None:
    longest = [WAITS.wait(failures, lambda: 1.0) for failures in range(1, 9)]
    assert longest == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_draw_takes_off_up_to_half() -> None:
    assert WAITS.wait(3, lambda: 0.0) == 2
    assert WAITS.wait(3, lambda: 0.5) == 3


@given(
    st.floats(0.001, 3600),
    st.floats(0, 3600),
    st.integers(1, 10**9),
    st.floats(0, 1, exclude_max=True),
)
def test_is_never_nothing_and_never_more_than_the_maximum(
    initial: float, more: float, failures: int, draw: float
) -> None:
    backoff = Backoff(initial, initial + more)
    assert initial / 2 <= backoff.wait(failures, lambda: draw) <= backoff.maximum
