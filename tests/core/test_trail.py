"""A trail read in windows: where rounds begin, what is asked, what goes out, and what is told."""

from collections.abc import Callable
from typing import Any

import pytest

from bridge.core.by_time import position
from bridge.core.errors import BridgeError
from bridge.core.polling import Ask, Gap, Page, RoundFailed
from tests.core.rounds import DAY, HOUR, MINUTE, NOW, SECOND, ms, text
from tests.core.trail_world import Api, Happened, Loop, begun

# Where rounds begin


def test_the_first_round_begins_some_time_back() -> None:
    api = Api()
    api.add(NOW - HOUR - 1)
    api.add(NOW - HOUR)
    first = begun(api, lookback=HOUR)
    assert first.windows() == [(-3600, 0)]
    assert first.ids() == ["e1"]
    assert position(first.cursor) == NOW


def test_the_first_round_begins_at_a_time() -> None:
    assert begun(Api(), start=NOW - 2 * DAY).windows() == [(-2 * 86400, 0)]


def test_nothing_is_done_before_the_time_to_begin() -> None:
    early = Loop(Api().answer, start=NOW + HOUR)
    assert early.round(NOW)
    assert (early.asked, early.cursor, position(early.cursor)) == ([], {}, None)
    assert early.round(NOW + 2 * HOUR)
    assert early.windows() == [(3600, 7200)]


def test_where_the_first_round_begins_is_written_down_first() -> None:
    """Else the next one would begin later, and what lies between be missed."""
    dying = Loop(Api().answer, lookback=HOUR)
    assert not dying.round(NOW, steps=1)
    assert dying.round(NOW + MINUTE)
    assert dying.windows() == [(-3600, 60)]


def test_a_cursor_can_be_set_to_a_time() -> None:
    api = Api()
    for time in (NOW - HOUR - 1, NOW - HOUR, NOW - 1):
        api.add(time)
    again = begun(api)
    assert again.cursor.keys() > {"head"}
    for at, ids in ((NOW - HOUR + 999, ["e1", "e2"]), (NOW, [])):
        again.set(at)
        assert (list(again.cursor), position(again.cursor)) == (["head"], at - at % SECOND)
        assert again.round(NOW + SECOND)
        assert (again.ids(), again.told) == (ids, [])


def test_what_is_too_old_for_the_api_is_a_gap() -> None:
    clamped = Loop(Api().answer, start=NOW - 200 * DAY)
    assert clamped.round(NOW)
    oldest = NOW - 180 * DAY + MINUTE
    assert clamped.told == [Gap(NOW - 200 * DAY, oldest)]
    assert min(ms(each["startTime"]) for each in clamped.parameters()) == oldest
    assert clamped.round(NOW + MINUTE)
    assert not clamped.told


def test_a_gap_is_told_once_though_the_round_fails() -> None:
    clamped = begun(Api())
    assert not clamped.round(NOW + 200 * DAY, steps=2)
    assert clamped.told
    assert clamped.round(NOW + 200 * DAY)
    assert not clamped.told


def test_a_long_outage_leaves_a_gap() -> None:
    late = begun(Api())
    assert late.round(NOW + 190 * DAY)
    assert late.told == [Gap(NOW, NOW + 10 * DAY + MINUTE)]
    assert late.windows()[0][0] == 10 * 86400 + 60


def test_what_was_read_before_it_grew_too_old_is_no_gap() -> None:
    late = begun(Api())
    assert late.round(NOW + 180 * DAY - 2 * MINUTE)
    assert not late.told
    assert late.windows()[0][0] == -60


def test_looking_back_as_far_as_the_api_allows_is_no_gap() -> None:
    assert not begun(Api(), lookback=180 * DAY).told


# Windows and pages


def test_windows_are_as_long_as_the_api_allows() -> None:
    assert begun(Api(), lookback=70 * DAY).windows() == [
        (-70 * 86400, -40 * 86400),
        (-40 * 86400, -10 * 86400),
        (-10 * 86400, 0),
    ]


def test_pages_are_asked_for_with_all_parameters() -> None:
    api = Api(page_size=2)
    api.add_each_second(5)
    pages = begun(api)
    window = {"startTime": "2025-12-31T00:00:00Z", "endTime": "2026-01-01T00:00:00Z"}
    assert pages.parameters() == [window, window | {"page": "2"}, window | {"page": "4"}]
    assert pages.ids() == ["e0", "e1", "e2", "e3", "e4"]
    (write,) = pages.writes[1:]
    assert (write.rows, write.window) == (5, (NOW - DAY, NOW))


def test_an_event_on_two_pages_goes_out_once() -> None:
    api = Api(page_size=3, repeats=2)
    api.add_each_second(5)
    assert begun(api).ids() == ["e0", "e1", "e2", "e3", "e4"]


def test_what_goes_out_at_once_is_in_order_of_time() -> None:
    api = Api(order=lambda event: -event.time)
    api.add_each_second(5)
    assert begun(api).ids() == ["e0", "e1", "e2", "e3", "e4"]


def a_full_day(order: Callable[[Happened], Any] = lambda event: event.time) -> Api:
    api = Api(page_size=50, order=order)
    for number in range(300):
        api.add(NOW - DAY + number * DAY // 300)
    return api


def test_a_full_window_is_read_in_halves() -> None:
    """A day is given up after two pages, half a day as well, and four quarters of 75 events are read."""
    halved = begun(a_full_day(order=lambda event: -event.time), max_window_events=100)
    assert halved.ids() == [f"e{number}" for number in range(300)]
    assert [end - begin for begin, end in halved.windows()] == [86400, 43200, 21600, 21600, 21600, 21600]
    assert [write.rows for write in halved.writes] == [0, 100 + 100 + 75, 75, 75, 75]


def test_what_was_seen_in_order_of_time_tells_how_short_a_window_must_be() -> None:
    """All of a day happened in its last five minutes: halves would take nine tries to come there."""
    api = Api(page_size=50)
    for number in range(300):
        api.add(NOW - 300 * SECOND + number * SECOND)
    cut = begun(api, max_window_events=100)
    assert cut.ids() == [f"e{number}" for number in range(300)]
    assert [end - begin for begin, end in cut.windows()] == [86400, 86175, 225, 75, 75, 75]


def test_a_round_that_dies_begins_behind_the_last_window() -> None:
    dying = Loop(a_full_day().answer, max_window_events=100)
    ids: list[str] = []
    while not dying.round(NOW, steps=8):
        ids += dying.ids()
    assert ids + dying.ids() == [f"e{number}" for number in range(300)]


def test_windows_grow_again() -> None:
    """In minutes of 60 events each, which lie far apart."""
    api = Api(page_size=50)
    for number in range(120):
        api.add(NOW - (9 if number < 60 else 2) * DAY + number % 60 * SECOND)
    assert len(begun(api, lookback=10 * DAY, max_window_events=50).windows()) < 80


def a_full_second(count: int) -> Api:
    api = Api(page_size=50)
    for number in range(count):
        api.add(NOW - HOUR + number)
    return api


def test_a_full_second_goes_out_in_parts() -> None:
    whole = begun(a_full_second(900), max_window_events=100)
    assert whole.ids() == [f"e{number}" for number in range(900)]
    parts = [write for write in whole.writes if write.emissions]
    assert [len(write.emissions) for write in parts] == [100] * 9
    assert {write.window for write in parts} == {(NOW - HOUR, NOW - HOUR + SECOND)}
    assert [write.rows for write in parts[1:]] == [100] * 8


def test_a_full_second_interrupted_goes_on() -> None:
    dying = Loop(a_full_second(400).answer, max_window_events=100)
    ids: list[str] = []
    parts = steps = 0
    while not dying.round(NOW, steps):
        ids += dying.ids()
        parts += bool(dying.ids())
        steps += 5
    assert ids + dying.ids() == [f"e{number}" for number in range(400)]
    assert parts > 1


def test_what_is_not_read_yet_is_never_given_up() -> None:
    """More is remembered than may be, but of a second that is not done."""
    dying = Loop(a_full_second(400).answer, max_window_events=100, max_remembered=50)
    steps = 0
    while not dying.ids():
        assert not dying.round(NOW, steps := steps + 1)
    ids = dying.ids()
    assert dying.remembered() == 100
    assert dying.round(NOW)
    assert ids + dying.ids() == [f"e{number}" for number in range(400)]


def test_a_repeated_token_is_an_error() -> None:
    rows = iter(range(10))
    with pytest.raises(RoundFailed) as failed:
        Loop(lambda ask: Page([{"id": str(next(rows))}], "again")).round(NOW)
    assert failed.value.label == "not_as_described"
    assert next(rows) == 2


@pytest.mark.parametrize("rows", [[], [{"id": "always"}]])
def test_pages_without_end_are_an_error(rows: list[Any]) -> None:
    asked: list[Ask] = []

    def answer(ask: Ask) -> Page:
        asked.append(ask)
        return Page(rows, str(len(asked)))

    with pytest.raises(RoundFailed) as failed:
        Loop(answer).round(NOW)
    assert failed.value.label == "not_as_described"
    assert len(asked) < 1_100


def test_many_pages_that_hold_nothing_new_are_no_error() -> None:
    api = Api(page_size=1)
    for number in range(1_500):
        api.add(NOW - SECOND - number)
    again = begun(api, max_window_events=2_000, max_remembered=2_000)
    assert again.round(NOW + SECOND)
    assert (again.ids(), len(again.asked)) == ([], 1_500)


def test_a_trail_that_is_not_there_is_an_error() -> None:
    with pytest.raises(RoundFailed) as failed:
        Loop(lambda ask: None).round(NOW)
    assert failed.value.label == "not_as_described"


# Clocks


def test_a_clock_that_went_back_repeats_nothing() -> None:
    api = Api()
    api.add(NOW - 20 * MINUTE)
    back = begun(api)
    api.add(NOW - 15 * MINUTE)
    api.add(NOW - 5 * MINUTE)
    assert back.round(NOW - 10 * MINUTE)
    assert back.ids() == ["e1"]
    assert position(back.cursor) == NOW
    assert back.round(NOW + MINUTE)
    assert back.ids() == ["e2"]


def test_a_cursor_in_the_future_is_an_error() -> None:
    """A clock was far ahead once. To go on as if nothing had happened would be to read nothing for long."""
    ahead = begun(Api())
    assert ahead.round(NOW - 30 * MINUTE)
    with pytest.raises(RoundFailed) as failed:
        ahead.round(NOW - 30 * MINUTE - SECOND)
    assert failed.value.label == "future"


def test_a_second_that_is_not_over_waits() -> None:
    """Windows end on whole seconds, for an API that reads no fractions."""
    api = Api()
    api.add(NOW + 1)
    waiting = begun(api)
    assert waiting.round(NOW + 999)
    assert not waiting.ids()
    assert waiting.round(NOW + SECOND)
    assert waiting.ids() == ["e0"]


# Events that are not as expected


def test_without_an_id_the_whole_event_is_its_identity() -> None:
    api = Api(page_size=1)
    api.add(NOW - 3, id=None, details={"a": 1, "b": 2})
    api.add(NOW - 3, id="", details={"a": 1, "b": 2})
    api.add(NOW - 3, id=None, details={"b": 2, "a": 1})
    nameless = begun(api)
    assert len(nameless.ids()) == len(set(nameless.ids())) == 2
    assert nameless.round(NOW + MINUTE)
    assert not nameless.ids()


def test_an_id_that_is_no_text_is_an_identity_too() -> None:
    api = Api()
    api.add(NOW - 2, id=5, details="a")
    api.add(NOW - 2, id=5, details="b")
    (only,) = begun(api).out
    assert only.doc is not None
    assert (only.doc["extra"], only.doc["details"]) == ({"id": "5"}, '"a"')  # the first counts
    assert only.key


def test_an_event_too_deep_to_be_identified_goes_out_once() -> None:
    deep: Any = 0
    for _ in range(1_000):
        deep = [deep]
    api = Api(page_size=1)
    api.add(NOW - 2, id=None, details=deep)
    api.add(NOW - 2, id=None, details=deep)
    assert len(begun(api).ids()) == 1


@pytest.mark.parametrize("time", ["once", None, text(NOW + DAY), "1969-12-31T23:59:59Z"])
def test_a_time_that_cannot_be_does_not_reach_kafka(time: str | None) -> None:
    api = Api()
    api.add(NOW - MINUTE, time=time)
    odd = begun(api)
    (only,) = odd.out
    assert (only.at, only.late) == (None, None)
    assert odd.round(NOW + MINUTE)
    assert not odd.ids()
    assert odd.round(NOW + HOUR)
    assert list(odd.cursor) == ["head"]


def test_a_time_before_the_window_is_believed_and_no_reason_to_forget() -> None:
    api = Api()
    api.add(NOW - MINUTE, time=text(NOW - 3 * DAY))
    odd = begun(api)
    assert [each.at for each in odd.out] == [NOW - 3 * DAY]
    assert odd.round(NOW + MINUTE)
    assert not odd.ids()


def test_a_cursor_of_a_newer_version_is_left_alone() -> None:
    newer = begun(Api())
    newer.cursor["seen/9"] = {"format": 2}
    for act in (newer.round, newer.set):
        with pytest.raises(BridgeError, match="newer version"):
            act(NOW + MINUTE)
    assert position({"head": {"format": 2}}) is None
