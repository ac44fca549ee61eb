"""Each change of an execution that is seen goes out once, in order and numbered, until it has ended."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import BridgeError
from bridge.core.polling import Ask, Emission, Page, RoundFailed
from bridge.core.record import Doc
from bridge.core.sighting import MAX_PARTS, ids_of, name_of
from bridge.core.stream import Operation
from bridge.core.transitions import MARGIN_MS
from bridge.streams.executions import EXECUTIONS
from tests.core.executions_api import ExecutionsApi
from tests.core.rounds import Player, rows

FIXTURE = Path(__file__).parent / "fixtures" / "executions_format_1.json"
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = 1_767_225_600_000


def api(**fields: Any) -> ExecutionsApi:
    made = ExecutionsApi(**fields)
    made.workflow("w", workflowName="Leavers", applicationId="7", status="active")
    return made


def asked(player: Player, operation: Operation) -> list[Ask]:
    return [ask for ask in player.asked if ask.operation is operation]


def looked_at(player: Player) -> list[str]:
    return [ask.place["execution"] for ask in asked(player, Operation.GET_EXECUTION)]


def windows(player: Player) -> list[tuple[str, str]]:
    lists = asked(player, Operation.LIST_EXECUTIONS)
    return [(ask.parameters["startTime"], ask.parameters["endTime"]) for ask in lists]


def states(emissions: list[Emission]) -> list[tuple[str, int, str]]:
    docs = [(e.key, e.doc) for e in emissions if e.output == "executions"]
    return [(key, doc["sequence"], doc["status"]) for key, doc in docs if doc is not None]


def users(emissions: list[Emission]) -> list[tuple[str, int, str | None]]:
    docs = [(e.key, e.doc) for e in emissions if e.output == "execution_users"]
    return [(key, doc["sequence"], doc.get("actionedOutcome")) for key, doc in docs if doc is not None]


def test_an_execution_from_its_start_to_its_end() -> None:
    executions = api()
    execution = executions.execution(
        "e", NOW - MINUTE, users={"Ann@example.com": "none", "bob@example.com": "none"}
    )
    player = Player(EXECUTIONS, executions)
    first = player.play(NOW)
    assert [(e.output, e.key, e.at) for e in first] == [
        ("executions", "w/e", NOW - MINUTE),
        ("execution_users", "w/e/ann@example.com", NOW - MINUTE),
        ("execution_users", "w/e/bob@example.com", NOW - MINUTE),
    ]
    assert first[0].doc == {
        "workflowId": "w",
        "workflowName": "Leavers",
        "applicationId": "7",
        "executionId": "e",
        "sequence": 1,
        "status": "running",
        "startTime": NOW - MINUTE,
        "users": 2,
        "extra": {"revision": "0"},
    }
    assert first[1].doc == {
        "workflowId": "w",
        "executionId": "e",
        "sequence": 1,
        "email": "Ann@example.com",
        "actionedOutcome": "none",
    }
    assert player.play(NOW + MINUTE) == []

    execution.users["bob@example.com"] = "revoked"
    changed = player.play(NOW + 2 * MINUTE)
    assert states(changed) == [("w/e", 2, "running")]
    assert users(changed) == [("w/e/bob@example.com", 2, "revoked")]
    assert [e.at for e in changed] == [None, None]

    execution.status, execution.end = "Completed", NOW + 2 * MINUTE
    ended = player.play(NOW + 3 * MINUTE)
    assert states(ended) == [("w/e", 3, "Completed")]
    assert [(e.doc or {}).get("endTime") for e in ended] == [execution.end]
    assert [e.at for e in ended] == [execution.end]

    assert player.play(NOW + 4 * MINUTE) == []
    assert looked_at(player) == []
    assert "example.com" not in json.dumps(player.cursor)


def test_one_that_runs_is_followed_when_no_list_has_it_any_more() -> None:
    executions = api()
    execution = executions.execution("e", NOW - MINUTE)
    executions.execution("f", NOW - MINUTE, status="completed", end=NOW)  # of the same second
    player = Player(EXECUTIONS, executions)
    player.play(NOW)
    assert player.play(NOW + 90 * DAY) == []
    execution.status = "waiting"
    executions.workflow("w", workflowName="Goodbye", applicationId="7")
    [waiting] = player.play(NOW + 91 * DAY)
    assert waiting.doc == {
        "workflowId": "w",
        "workflowName": "Goodbye",
        "applicationId": "7",
        "executionId": "e",
        "sequence": 2,
        "status": "waiting",
        "startTime": NOW - MINUTE,
        "users": 0,
        "extra": {"revision": "0"},
    }
    execution.status, execution.end = "failed", NOW + 92 * DAY
    [failed] = player.play(NOW + 93 * DAY)
    assert failed.doc == {**waiting.doc, "sequence": 3, "status": "failed", "endTime": execution.end}
    assert windows(player)[-1] == ("2025-12-31T23:58:59Z", "2025-12-31T23:59:01Z")
    player.play(NOW + 94 * DAY)
    assert looked_at(player) == []


def test_the_end_is_asked_for_only_where_the_list_did_not_have_it() -> None:
    executions = api()
    executions.execution("a", NOW - MINUTE, status="cancelled")  # without a time, as such an end may be
    executions.execution("b", NOW - MINUTE, status="completed", end=NOW)
    player = Player(EXECUTIONS, executions)
    assert states(player.play(NOW)) == [("w/a", 1, "cancelled"), ("w/b", 1, "completed")]
    assert len(windows(player)) == 1
    executions.executions["w", "a"].end = NOW
    [known] = player.play(NOW + MINUTE)  # now it is known when
    assert (states([known]), known.at) == ([("w/a", 2, "cancelled")], NOW)
    executions.executions["w", "a"].status = "failed"
    [changed] = player.play(NOW + MINUTE)  # and nobody knows when it changed again
    assert (states([changed]), changed.at) == ([("w/a", 3, "failed")], None)


def test_one_that_ends_between_list_and_details_goes_out_once_with_its_end() -> None:
    executions = api()
    execution = executions.execution("e", NOW - MINUTE)

    def ending(ask: Ask) -> Page | None:
        if ask.operation is Operation.GET_EXECUTION:
            execution.status, execution.end = "completed", NOW
        return executions(ask)

    player = Player(EXECUTIONS, ending)
    [only] = player.play(NOW)
    assert only.doc is not None
    assert only.doc["endTime"] == NOW
    assert player.play(NOW + MINUTE) == []
    assert looked_at(player) == []


def test_statuses_of_the_end_are_a_setting() -> None:
    executions = api()
    executions.execution("e", NOW - MINUTE, status="DECOMMISSIONED")
    player = Player(EXECUTIONS, executions)
    player.play(NOW)
    player.play(NOW + MINUTE)
    assert looked_at(player) == ["e"]
    player = Player(EXECUTIONS, executions, ended_statuses="gone, Decommissioned")
    player.play(NOW)
    player.play(NOW + MINUTE)
    assert looked_at(player) == []


def test_without_details_the_list_speaks() -> None:
    executions = api()
    execution = executions.execution("e", NOW - MINUTE, has_details=False)
    player = Player(EXECUTIONS, executions)
    assert states(player.play(NOW)) == [("w/e", 1, "running")]
    assert player.play(NOW + MINUTE) == []
    assert looked_at(player) == ["e"]  # perhaps they are only late
    execution.status = "waiting"
    assert states(player.play(NOW + 2 * MINUTE)) == [("w/e", 2, "waiting")]
    execution.has_details, execution.users = True, {"ann@example.com": "none"}
    late = player.play(NOW + 3 * MINUTE)
    assert states(late) == [("w/e", 3, "waiting")]
    assert users(late) == [("w/e/ann@example.com", 3, "none")]
    execution.has_details = False
    assert (
        player.play(NOW + 4 * MINUTE) == []
    )  # that nothing is said of users does not mean that they are gone


def test_one_that_is_neither_listed_nor_to_be_had_is_closed() -> None:
    executions = api()
    execution = executions.execution("e", NOW - MINUTE)
    player = Player(EXECUTIONS, executions)
    player.play(NOW)
    executions.workflows.clear()
    assert player.play(NOW + 2 * HOUR) == []
    assert looked_at(player) == ["e"]
    execution.status = "waiting"  # its workflow is gone, and it goes on
    [waiting] = player.play(NOW + 3 * HOUR)
    assert waiting.doc is not None
    assert waiting.doc["workflowName"] == "Leavers"
    execution.has_details = False
    assert player.play(NOW + 4 * HOUR) == []
    player.play(NOW + 5 * HOUR)
    assert looked_at(player) == []
    player.play(NOW + 5 * HOUR + MARGIN_MS)
    assert "execution/w/e" in player.cursor
    player.play(NOW + 5 * HOUR + MARGIN_MS + 1000)
    assert list(player.cursor) == ["head"]


@pytest.mark.parametrize("operation", [Operation.LIST_WORKFLOWS, Operation.LIST_EXECUTIONS])
def test_a_list_that_is_not_there_is_no_empty_list(operation: Operation) -> None:
    executions = api()
    player = Player(EXECUTIONS, executions)
    player.play(NOW)
    head = player.cursor["head"]
    player.answer = lambda ask: None if ask.operation is operation else executions(ask)
    with pytest.raises(RoundFailed) as failed:
        player.play(NOW + HOUR)
    assert failed.value.label == "not_as_described"
    assert player.cursor["head"] == head


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


def test_in_one_round_one_look_is_enough() -> None:
    executions = api(listed_by="either")
    executions.execution("e", NOW - 5 * DAY)
    player = Player(EXECUTIONS, executions, max_window_days=1)
    assert len(player.play(NOW)) == 1
    assert looked_at(player) == ["e"]


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


def test_waves_and_writes_are_bounded() -> None:
    executions = api()
    for n in range(120):
        executions.workflow(f"w{n}")
    people = {f"p{n}@example.com": "none" for n in range(20)}
    for n in range(120):
        executions.execution(f"e{n}", NOW - MINUTE, users=people)
    executions.execution("huge", NOW - MINUTE, users={f"p{n}@example.com": "none" for n in range(700)})
    player = Player(EXECUTIONS, executions)
    assert len(player.play(NOW)) == 120 * 21 + 701
    assert player.waves == [1, 50, 50, 50, 21, 50, 21]
    sizes = [len(write.emissions) for write in player.writes if write.emissions]
    assert sorted(sizes)[-2:] == [483, 701]  # the huge one goes out whole, with its entry


def test_an_execution_with_too_many_users_to_remember_sends_them_all_again() -> None:
    executions = api()
    people = {f"{n}@example.com": "none" for n in range(MAX_PARTS + 1)}
    execution = executions.execution("e", NOW - MINUTE, users=people)
    player = Player(EXECUTIONS, executions)
    assert len(player.play(NOW)) == MAX_PARTS + 2
    assert len(json.dumps(player.cursor)) < 2000
    assert player.play(NOW + MINUTE) == []
    execution.users["7@example.com"] = "revoked"
    assert len(player.play(NOW + 2 * MINUTE)) == MAX_PARTS + 2
    del execution.users["8@example.com"]
    assert len(player.play(NOW + 3 * MINUTE)) == MAX_PARTS + 1
    assert len(json.dumps(player.cursor)) < 1_000_000


def answers(details: Doc, summary: Doc | None = None) -> Any:
    """An API with one execution, of which it says just this."""

    def answer(ask: Ask) -> Page:
        match ask.operation:
            case Operation.LIST_WORKFLOWS:
                return rows({"workflowId": "w"})
            case Operation.LIST_EXECUTIONS:
                return rows({"executionId": "e", "workflowId": "other", **(summary or {})})
        return rows({"executionId": "E", "workflowId": "other", **details})

    return answer


def test_nothing_that_the_api_says_is_lost() -> None:
    named = {"email": "ann@example.com", "reason": {"b": 1, "a": 2}}
    odd = [{"name": "nobody"}, "?", {"email": 7}]
    player = Player(
        EXECUTIONS,
        answers(
            {"users": [named, *odd], "by": "cron"}, {"startTime": "yesterday", "mode": "dry", "status": "on"}
        ),
    )
    execution, user = player.play(NOW)
    assert execution.doc == {
        "workflowId": "w",
        "executionId": "e",
        "sequence": 1,
        "status": "on",
        "users": 4,
        "extra": {
            "by": '"cron"',
            "mode": '"dry"',
            "startTime": '"yesterday"',
            "users": '[{"name":"nobody"},"?",{"email":7}]',
        },
    }
    assert user.doc == {
        "workflowId": "w",
        "executionId": "e",
        "sequence": 1,
        "email": "ann@example.com",
        "extra": {"reason": '{"a":2,"b":1}'},
    }
    player.answer = answers({"users": "all"})
    [execution] = player.play(NOW + MINUTE)
    assert (execution.doc or {})["extra"] == {"users": '"all"'}


def test_users_in_another_order_or_twice_are_no_change() -> None:
    ann, bob = {"email": "ann@example.com"}, {"email": "bob@example.com", "actionedOutcome": "revoked"}
    player = Player(EXECUTIONS, answers({"users": [ann, bob]}))
    assert len(player.play(NOW)) == 3
    player.answer = answers({"users": [bob, ann]})
    assert player.play(NOW + MINUTE) == []
    player.answer = answers({"users": [bob, ann, {**bob, "actionedOutcome": "kept"}]})  # two words on Bob
    assert users(player.play(NOW + 2 * MINUTE)) == [("w/e/bob@example.com", 2, "kept")]


def test_what_is_no_state_does_not_go_out_but_with_a_change() -> None:
    player = Player(EXECUTIONS, answers({}, {"status": "on", "progress": 1}))
    assert len(player.play(NOW)) == 1
    player.answer = answers({}, {"status": "on", "progress": 2})
    assert player.play(NOW + MINUTE) == []
    player.answer = answers({}, {"status": "off", "progress": 3})
    [changed] = player.play(NOW + 2 * MINUTE)
    assert (changed.doc or {})["extra"] == {"progress": "3"}


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_times_that_cannot_be_are_told_and_not_believed(start: str) -> None:
    player = Player(EXECUTIONS, answers({"status": "running"}, {"startTime": start}))
    [first] = player.play(NOW)
    assert first.at is None
    player.answer = answers({"status": "done"}, {"startTime": start})
    assert states(player.play(NOW + MINUTE)) == [("w/e", 2, "done")]


def test_an_end_before_1970_is_none() -> None:
    player = Player(EXECUTIONS, answers({"status": "running"}, {"endTime": "0001-01-01T00:00:00Z"}))
    player.play(NOW)
    player.answer = answers({"status": "waiting"}, {"endTime": "0001-01-01T00:00:00Z"})
    assert states(player.play(NOW + MINUTE)) == [("w/e", 2, "waiting")]


def test_an_execution_that_is_listed_twice_counts_once() -> None:
    executions = api()
    executions.execution("e", NOW - MINUTE)

    def twice(ask: Ask) -> Page | None:
        page = executions(ask)
        return rows(*page.rows, *page.rows) if page is not None else None

    player = Player(EXECUTIONS, twice)
    assert states(player.play(NOW)) == [("w/e", 1, "running")]


@given(st.text(), st.text(), st.text(), st.text())
def test_names_are_one_for_each_pair_of_ids(a: str, b: str, c: str, d: str) -> None:
    assert ids_of(name_of(a, b)) == (a, b)
    assert (name_of(a, b) == name_of(c, d)) == ((a, b) == (c, d))


def test_ids_may_hold_any_character() -> None:
    executions = api()
    executions.workflow("a/b=|")
    execution = executions.execution("c/ü %", NOW - MINUTE, "a/b=|", users={"d/e@example.com": "none"})
    player = Player(EXECUTIONS, executions)
    key = "a%2Fb%3D%7C/c%2F%C3%BC%20%25"
    assert [e.key for e in player.play(NOW)] == [key, f"{key}/d%2Fe@example.com"]
    execution.status = "waiting"
    assert states(player.play(NOW + DAY)) == [(key, 2, "waiting")]


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
