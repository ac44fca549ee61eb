"""What a trail remembers: late events go out once, in bounds, and from the cursors of older versions too."""

import json
from pathlib import Path

import pytest

from bridge.core.by_time import position
from bridge.core.polling import Shortened
from tests.core.rounds import DAY, HOUR, MINUTE, NOW, SECOND, text
from tests.core.trail_world import Api, Loop, begun


def test_late_events_go_out_once_and_tell_how_late() -> None:
    api = Api()
    api.add(NOW - MINUTE)
    late = begun(api)
    api.add(NOW - 2 * MINUTE)
    api.add(NOW + SECOND)
    assert late.round(NOW + MINUTE)
    assert [(each.key, each.at, each.late) for each in late.out] == [
        ("e1", NOW - 2 * MINUTE, 120.0),
        ("e2", NOW + SECOND, None),
    ]
    assert late.round(NOW + 2 * MINUTE)
    assert not late.out


@pytest.mark.parametrize("away", [HOUR, 190 * DAY])
def test_what_is_read_for_the_first_time_is_not_late(away: int) -> None:
    """However long ago it happened: in the first round, after a pause, behind a gap."""
    api = Api()
    api.add(NOW - HOUR)
    api.add(NOW - HOUR, time=text(NOW - 2 * DAY))  # by another time than it is found by
    first = begun(api)
    assert [each.late for each in first.out] == [None, None]
    api.add(NOW + away - 40 * MINUTE)
    assert first.round(NOW + away)
    assert [each.late for each in first.out] == [None]


def test_what_comes_later_than_the_overlap_is_missed() -> None:
    api = Api()
    late = begun(api, overlap=MINUTE)
    api.add(NOW - MINUTE)
    api.add(NOW - MINUTE - 1)
    assert late.round(NOW + SECOND)
    assert late.ids() == ["e0"]


@pytest.mark.parametrize("overlap", [0, MINUTE])
@pytest.mark.parametrize("end_too", [False, True])
def test_an_event_on_the_edge_goes_out_once(overlap: int, end_too: bool) -> None:
    api = Api(end_too=end_too)
    for time in (NOW - 1, NOW, NOW + 1):
        api.add(time)
    edge = begun(api, overlap=overlap)
    ids = edge.ids()
    for minute in range(1, 4):
        assert edge.round(NOW + minute * MINUTE)
        ids += edge.ids()
    assert ids == ["e0", "e1", "e2"]


def test_a_quiet_round_moves_on() -> None:
    quiet = begun(Api())
    assert quiet.round(NOW + HOUR)
    (write,) = quiet.writes
    assert (write.emissions, write.rows, list(write.remember)) == ([], 0, ["head"])
    assert position(quiet.cursor) == NOW + HOUR


def test_a_longer_overlap_repeats_nothing() -> None:
    """What was no longer remembered is not read again."""
    api = Api()
    api.add(NOW - HOUR)
    grown = begun(api)
    grown.options.overlap = 2 * HOUR
    api.add(NOW - 20 * MINUTE)
    assert grown.round(NOW + MINUTE)
    assert grown.ids() == ["e1"]
    assert not grown.told


def test_only_what_may_be_read_again_is_remembered() -> None:
    api = Api()
    for minute in range(1, 61):
        api.add(NOW - minute * MINUTE)
    lean = begun(api)
    assert lean.remembered() == 30
    assert lean.round(NOW + 29 * MINUTE)
    assert lean.remembered() == 30
    assert lean.round(NOW + 29 * MINUTE + SECOND)
    assert list(lean.cursor) == ["head"]


def filled() -> tuple[Api, Loop]:
    """Ten events in each of three minutes, where there is room for 25."""
    api = Api()
    full = begun(api, max_remembered=25)
    for minute in range(1, 4):
        for number in range(10):
            api.add(NOW + minute * MINUTE - SECOND - number)
        assert full.round(NOW + minute * MINUTE)
        assert not full.told
    return api, full


def test_too_much_to_remember_shortens_the_overlap() -> None:
    api, full = filled()
    assert full.remembered() == 20
    api.add(NOW + MINUTE - 1)
    api.add(NOW + MINUTE)
    assert full.round(NOW + 3 * MINUTE)
    assert full.told == [Shortened(NOW + MINUTE)]
    assert full.ids() == ["e31"]
    assert full.windows() == [(60, 180)]


def test_the_overlap_grows_again() -> None:
    _, full = filled()
    shortened = Shortened(NOW + MINUTE)
    for minute, told in ((4, [shortened]), (30, [shortened]), (31, [shortened]), (32, []), (33, [])):
        assert full.round(NOW + minute * MINUTE)
        assert full.told == told
    assert full.windows() == [(120, 1980)]


def test_what_is_forgotten_leaves_room() -> None:
    api = Api()
    for number in range(4 * 60):
        api.add(NOW - number * MINUTE - SECOND)
    long = begun(api, max_window=10 * MINUTE, max_remembered=50)
    assert long.round(NOW)
    assert not long.told
    assert long.remembered() == 30


def test_what_lies_at_the_position_is_not_given_up() -> None:
    """As more may happen at that time."""
    api = Api(end_too=True)
    api.add(NOW)
    api.add(NOW)
    full = begun(api, max_remembered=1)
    assert full.round(NOW)
    api.add(NOW + 1)
    assert full.round(NOW + MINUTE)
    assert full.ids() == ["e2"]


def test_an_overlap_of_several_windows_is_shortened_while_it_is_read() -> None:
    """What has to be forgotten lies before the position, but partly in windows still to come."""
    api = Api(page_size=10)
    busy = begun(api, max_window_events=40, max_remembered=50)
    ids: list[str] = []
    for minute in range(1, 8):
        for number in range(30):
            api.add(NOW + minute * MINUTE - number * SECOND - SECOND)
        if minute == 4:
            for number in range(200):
                api.add(NOW + 2 * MINUTE + number * 500)
        assert busy.round(NOW + minute * MINUTE)
        ids += busy.ids()
    assert len(ids) == len(set(ids))
    assert len(ids) >= 7 * 30


def test_a_cursor_of_the_first_format_is_read_for_ever() -> None:
    """It was written at 12:00, with three events remembered, of which one has no id."""
    noon = NOW + 12 * HOUR
    api = Api()
    api.add(noon - HOUR)
    api.add(noon - 30 * MINUTE)
    api.add(noon - 15 * MINUTE, id=None, details={"b": [1.5, "ü"], "a": None})
    api.add(noon - 1)
    api.add(noon - 1, id="late")
    api.add(noon)
    upgraded = Loop(api.answer)
    written = Path(__file__).parent / "fixtures" / "audit_events_cursor_format_1.json"
    upgraded.cursor = json.loads(written.read_text())
    assert position(upgraded.cursor) == noon
    assert upgraded.round(noon + 5 * MINUTE)
    assert upgraded.parameters()[0] == {
        "startTime": "2026-01-01T11:30:00Z",
        "endTime": "2026-01-01T12:05:00Z",
    }
    assert upgraded.ids() == ["late", "e5"]
    assert upgraded.round(noon + HOUR)
    assert (upgraded.ids(), list(upgraded.cursor)) == ([], ["head"])
