"""What is read of one execution, what of it is a change, and how it is named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.polling import Ask, Page
from bridge.core.record import Doc
from bridge.core.sighting import MAX_PARTS, ids_of, name_of
from bridge.core.stream import Operation
from bridge.streams.executions import EXECUTIONS
from tests.core.executions_api import api, states, users
from tests.core.rounds import DAY, MINUTE, NOW, Player, rows


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
