"""Each change of an execution that is seen goes out once, in order and numbered, until it has ended."""

import json

import pytest

from bridge.core.polling import Ask, Page, RoundFailed
from bridge.core.stream import Operation
from bridge.core.transitions import MARGIN_MS
from bridge.streams.executions import EXECUTIONS
from tests.core.executions_api import api, looked_at, states, users, windows
from tests.core.rounds import DAY, HOUR, MINUTE, NOW, Player, rows


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


def test_an_execution_that_is_listed_twice_counts_once() -> None:
    executions = api()
    executions.execution("e", NOW - MINUTE)

    def twice(ask: Ask) -> Page | None:
        page = executions(ask)
        return rows(*page.rows, *page.rows) if page is not None else None

    player = Player(EXECUTIONS, twice)
    assert states(player.play(NOW)) == [("w/e", 1, "running")]


def test_in_one_round_one_look_is_enough() -> None:
    executions = api(listed_by="either")
    executions.execution("e", NOW - 5 * DAY)
    player = Player(EXECUTIONS, executions, max_window_days=1)
    assert len(player.play(NOW)) == 1
    assert looked_at(player) == ["e"]


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
