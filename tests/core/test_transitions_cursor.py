"""How far rounds of executions have got: the windows they read, what is remembered, and for how long."""

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.core.errors import BridgeError
from bridge.core.polling import RoundFailed
from bridge.core.transitions import MARGIN_MS
from bridge.streams.executions import EXECUTIONS
from tests.core.executions_api import api, states, users, windows
from tests.core.rounds import DAY, HOUR, MINUTE, NOW, Player

FIXTURE = Path(__file__).parent / "fixtures" / "executions_format_1.json"


# -- windows -------------------------------------------------------------------------------------------------


def test_the_first_round_reads_in_windows_and_begins_where_it_was_told() -> None:
    player = Player(EXECUTIONS, api(), start="2025-11-01T00:00:00+01:00", max_window_days=30)
    player.play(NOW)
    assert windows(player) == [
        ("2025-10-31T23:00:00Z", "2025-11-30T23:00:00Z"),
        ("2025-11-30T23:00:00Z", "2025-12-30T23:00:00Z"),
        ("2025-12-30T23:00:00Z", "2026-01-01T00:00:00Z"),
    ]
    assert EXECUTIONS.position(player.cursor) == NOW
    player.play(NOW + HOUR + 1)
    assert windows(player) == [("2025-12-31T23:00:00Z", "2026-01-01T01:00:00Z")]


def test_without_a_start_the_first_round_looks_back_and_stays_there_if_it_fails() -> None:
    player = Player(EXECUTIONS, api(), lookback_days=2)
    assert EXECUTIONS.position(player.cursor) is None
    player.begin(NOW)
    player.step()
    player.crash()
    player.play(NOW + HOUR)
    assert windows(player) == [("2025-12-30T00:00:00Z", "2026-01-01T01:00:00Z")]
    player = Player(EXECUTIONS, api(), start="2026-02-01T00:00:00Z")
    assert player.play(NOW) == []
    assert player.cursor == {}


def test_the_position_moves_window_by_window() -> None:
    executions = api()
    executions.execution("e", NOW - MINUTE)
    player = Player(EXECUTIONS, executions, lookback_days=50, max_window_days=30)
    player.begin(NOW)
    while EXECUTIONS.position(player.cursor) != NOW - 20 * DAY:
        player.step()
    player.crash()
    assert len(player.play(NOW)) == 1
    assert windows(player)[0][0] == "2025-12-11T23:00:00Z"


def test_windows_shorter_than_the_overlap_do_not_move_the_position_back() -> None:
    player = Player(EXECUTIONS, api(), overlap_minutes=3 * 24 * 60, max_window_days=1)
    player.play(NOW)
    player.begin(NOW + HOUR)
    while player.step():
        assert (EXECUTIONS.position(player.cursor) or 0) >= NOW
    assert len(windows(player)) == 4


def test_a_longer_overlap_does_not_bring_back_what_is_forgotten() -> None:
    executions = api()
    executions.execution("e", NOW - 5 * HOUR, status="completed", end=NOW - 5 * HOUR)
    player = Player(EXECUTIONS, executions)
    player.play(NOW)
    player.options = EXECUTIONS.options(overlap_minutes=600)
    assert player.play(NOW + HOUR) == []
    assert windows(player) == [("2025-12-31T23:00:00Z", "2026-01-01T01:00:00Z")]
    assert player.play(NOW + 20 * HOUR) == []
    player.play(NOW + 21 * HOUR)
    assert windows(player) == [("2026-01-01T10:00:00Z", "2026-01-01T21:00:00Z")]  # it has grown


# -- what is remembered --------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["start", "end"])
@pytest.mark.parametrize("after", [-1000, 0, 1000])
def test_what_a_list_shows_again_is_still_known_and_what_it_cannot_show_is_forgotten(
    by: Any, after: int
) -> None:
    """The next list begins an hour before NOW, and what ended is remembered for MARGIN_MS more."""
    time = NOW - HOUR - MARGIN_MS + after
    executions = api(listed_by=by)
    start = time if by == "start" else time - DAY
    executions.execution("e", start, status="completed", end=time)
    player = Player(EXECUTIONS, executions)
    assert len(player.play(NOW)) == 1
    assert ("execution/w/e" in player.cursor) == (after >= 0)
    assert player.play(NOW) == []


def test_what_lists_show_for_ever_as_it_has_no_end_stays_known() -> None:
    executions = api(listed_by="either")
    executions.execution("e", NOW - MINUTE, status="cancelled")
    player = Player(EXECUTIONS, executions)
    assert len(player.play(NOW)) == 1
    assert player.play(NOW + 9 * DAY) == []
    assert player.play(NOW + 18 * DAY) == []
    executions.listed_by = "start"
    player.play(NOW + 27 * DAY)
    assert list(player.cursor) == ["head"]


# -- the cursor ----------------------------------------------------------------------------------------------


def test_a_cursor_that_is_set_back_repeats_only_what_was_forgotten() -> None:
    executions = api()
    executions.execution("old", NOW - 9 * HOUR, status="completed", end=NOW - 8 * HOUR)
    executions.execution("new", NOW - 30 * MINUTE, status="completed", end=NOW - 20 * MINUTE)
    executions.execution("runs", NOW - 9 * HOUR)
    player = Player(EXECUTIONS, executions)
    player.play(NOW)
    player.set(NOW - 10 * HOUR + 999)
    assert states(player.play(NOW + MINUTE)) == [("w/old", 1, "completed")]
    assert windows(player) == [("2025-12-31T14:00:00Z", "2026-01-01T00:01:00Z")]
    assert player.play(NOW + MINUTE) == []


def test_a_cursor_in_the_future_is_a_failure() -> None:
    player = Player(EXECUTIONS, api())
    player.play(NOW)
    assert player.play(NOW - HOUR) == []  # a clock may be put right by less than the overlap
    assert EXECUTIONS.position(player.cursor) == NOW
    with pytest.raises(RoundFailed, match="2026-01-01T00:00:00Z, which is in the future"):
        player.play(NOW - HOUR - 1000)


def test_a_cursor_of_a_newer_version_is_left_alone() -> None:
    player = Player(EXECUTIONS, api(), {"head": {"format": 2}})
    for act in (player.play, player.set):
        with pytest.raises(BridgeError, match="'head' has format 2"):
            act(NOW)
    assert EXECUTIONS.position(player.cursor) is None


def test_the_first_format_is_read_for_ever() -> None:
    executions = api()
    executions.execution("runs", NOW - DAY, users={"ann@example.com": "none"})
    executions.execution("ended/1", NOW - 2 * MINUTE, status="completed", end=NOW - MINUTE)
    executions.execution("cancelled", NOW - 2 * MINUTE, status="cancelled")
    player = Player(EXECUTIONS, executions, json.loads(FIXTURE.read_text()))
    assert EXECUTIONS.position(player.cursor) == NOW
    assert player.play(NOW + MINUTE) == []
    executions.executions["w", "runs"].users["bob@example.com"] = "none"
    changed = player.play(NOW + 2 * MINUTE)
    assert states(changed) == [("w/runs", 3, "running")]
    assert users(changed) == [("w/runs/bob@example.com", 3, "none")]
    player.play(NOW + HOUR + MARGIN_MS - MINUTE)
    assert len(player.cursor) == 4
    player.play(NOW + HOUR + MARGIN_MS - 59_000)
    assert sorted(player.cursor) == ["execution/w/cancelled", "execution/w/runs", "head"]
    player.play(NOW + HOUR + MARGIN_MS - 29_000)
    assert sorted(player.cursor) == ["execution/w/runs", "head"]
