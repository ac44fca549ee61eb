from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.flood_guard import FloodGuard, FloodLimits, Limit


def tripped(limits: FloodLimits, notes: Iterable[tuple[int, int]]) -> str | None:
    guard = FloodGuard(limits)
    for good, refused in notes:
        guard.note(good, refused)
    return guard.tripped.why if guard.tripped else None


def in_a_row(limit: int) -> FloodLimits:
    return FloodLimits(consecutive=limit, share=None, window=1)


def by_share(share: float, window: int = 10) -> FloodLimits:
    return FloodLimits(consecutive=None, share=share, window=window)


def test_so_many_refused_in_a_row_trip_it() -> None:
    assert tripped(in_a_row(5), [(0, 4)]) is None
    assert tripped(in_a_row(5), [(0, 1)] * 5) == "5 records in a row were refused (limit 5)"


def test_a_good_record_begins_a_new_row() -> None:
    assert tripped(in_a_row(5), [(0, 4), (1, 0), (0, 4)]) is None


def test_refused_ones_noted_with_good_ones_are_no_row() -> None:
    """Nobody knows the order within a poll, so nothing is held against it."""
    assert tripped(in_a_row(5), [(1, 100), (0, 4)]) is None


def test_a_note_of_nothing_changes_nothing() -> None:
    assert tripped(in_a_row(5), [(0, 4), (0, 0), (0, 1)]) is not None


def test_the_share_trips_it_once_it_is_reached() -> None:
    assert tripped(by_share(0.5), [(6, 0), (0, 4)]) is None
    assert tripped(by_share(0.5), [(5, 0), (0, 5)]) == "5 of the last 10 records were refused (limit 50%)"


def test_a_share_of_all_can_be_reached() -> None:
    assert tripped(by_share(1.0), [(0, 10)]) is not None
    assert tripped(by_share(1.0), [(1, 0), (0, 9)]) is None


def test_the_share_is_not_judged_before_the_window_is_full() -> None:
    assert tripped(by_share(0.1), [(0, 9)]) is None
    assert tripped(by_share(0.1), [(0, 10)]) is not None


def test_only_the_last_records_count() -> None:
    long_ago = [(0, 4), *[(1, 0)] * 10]
    assert tripped(by_share(0.5), [*long_ago, (0, 4)]) is None
    assert tripped(by_share(0.5), [*long_ago, (0, 5)]) is not None


def test_what_is_refused_among_very_many_good_ones_in_one_poll_does_not_trip_it() -> None:
    assert tripped(by_share(0.5), [(5000, 40)]) is None


def test_none_turns_a_limit_off() -> None:
    never = FloodLimits(consecutive=None, share=None, window=1)
    assert tripped(never, [(0, 10**9)] * 3) is None


def test_once_tripped_it_stays_so_and_keeps_its_reason() -> None:
    guard = FloodGuard(in_a_row(2))
    guard.note(0, 2)
    reason = guard.tripped
    guard.note(10**6, 0)
    guard.note(0, 10)
    assert reason is not None
    assert guard.tripped == reason


def test_it_says_which_limit_was_reached() -> None:
    for limits, limit in ((in_a_row(2), Limit.CONSECUTIVE), (by_share(0.5, 2), Limit.SHARE)):
        guard = FloodGuard(limits)
        guard.note(0, 2)
        assert guard.tripped is not None
        assert guard.tripped.limit is limit


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=50),
    st.floats(0.01, 1),
    st.integers(1, 30),
)
def test_agrees_with_a_guard_that_remembers_everything(
    notes: list[tuple[int, int]], share: float, window: int
) -> None:
    """The last notes that hold a full window of records are judged, the oldest of them whole."""
    guard = FloodGuard(by_share(share, window))
    seen: list[tuple[int, int]] = []
    expected = False
    for good, refused in notes:
        guard.note(good, refused)
        seen.append((good, refused))
        last: list[tuple[int, int]] = []
        for note in reversed(seen):
            if sum(map(sum, last)) >= window:
                break
            last.append(note)
        all_refused, total = sum(r for _, r in last), sum(map(sum, last))
        expected = expected or (total >= window and all_refused >= share * total)
        assert (guard.tripped is not None) == expected
