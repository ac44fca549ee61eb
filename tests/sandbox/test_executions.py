from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.sandbox import CONNECTOR_WRITE, WorkflowPlan
from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver, Hands

WORKFLOWS = "/services/export/v1/customer/provisioning-workflows"
ENDS = {"completed", "failed", "cancelled"}


def path(workflow: str, execution: str = "") -> str:
    return f"{WORKFLOWS}/{workflow}/executions" + (f"/{execution}" if execution else "")


def summaries(driver: Driver, workflow: str = "workflow-1", **query: str) -> list[dict[str, Any]]:
    answer = driver.call("GET", path(workflow), params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["executions"]
    return found


def details(driver: Driver, summary: dict[str, Any]) -> dict[str, Any]:
    answer = driver.call("GET", path(summary["workflowId"], summary["executionId"]))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def step(driver: Driver, *executions: str) -> Any:
    path = "/_sandbox/executions/step"
    asked = {"executions": executions}
    answer = driver.http.post(path, json=asked) if executions else driver.http.post(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def content(driver: Driver) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = driver.http.get("/_sandbox/executions?limit=10000").json()["items"]
    return found


def test_executions_take_turns_among_workflows_and_start_in_the_last_minute(start: Start) -> None:
    driver = start(workflows=WorkflowPlan(2, 5))
    first, second = summaries(driver, "workflow-1"), summaries(driver, "workflow-2")
    assert (len(first), len(second)) == (3, 2)
    for workflow, found in (("workflow-1", first), ("workflow-2", second)):
        for summary in found:
            assert summary.keys() == {"executionId", "workflowId", "status", "startTime"}
            assert (summary["workflowId"], summary["status"]) == (workflow, "scheduled")
            assert "2025-12-31T23:59:00.000Z" <= summary["startTime"] < "2026-01-01T00:00:00.000Z"
            assert details(driver, summary).keys() == {"executionId", "workflowId", "status", "users"}
    assert driver.state()["company"]["executions"] == {"started": 5, "open": 5}


def test_executions_start_with_the_clock_up_to_their_number(start: Start, hands: Hands) -> None:
    driver = start(workflows=WorkflowPlan(1, 12, per_second=0.5))
    counts = []
    for _ in range(3):
        hands.now += 11
        counts.append(len(summaries(driver)))
    assert counts == [6, 12, 12]


def test_five_hundred_go_by_hand_through_three_to_five_changes_each(start: Start, hands: Hands) -> None:
    driver = start(workflows=WorkflowPlan(5, 500), export_rate_limit=None)
    left, seen = 500, []
    while left:
        hands.now += 1
        stepped = step(driver)
        left = stepped["open"]
        seen.append(stepped["moved"])
    shown = content(driver)
    changes = [len(execution["history"]) - 1 for execution in shown]
    assert set(changes) == {3, 4, 5}
    assert sum(map(len, seen)) == sum(changes)
    for execution in shown:
        assert execution["history"][0]["status"] == "scheduled"
        assert execution["history"][-1]["status"] == execution["status"] in ENDS
        assert execution["endTime"] == execution["history"][-1]["at"]
        states = [(state["status"], state["users"]) for state in execution["history"]]
        assert all(one != following for one, following in pairwise(states))
    assert driver.state()["company"]["executions"] == {"started": 500, "open": 0}
    assert step(driver)["moved"] == []
    long = {execution["executionId"] for execution in shown if execution["takesLong"]}
    assert 20 < len(long) < 100
    assert {summary["executionId"] for summary in seen[-1]} == long, "they end after all the others"


def test_some_changes_are_in_the_users_only(start: Start) -> None:
    driver = start(workflows=WorkflowPlan(1, 50, users=(1, 3)))
    while step(driver)["open"]:
        pass
    silent = 0
    for execution in content(driver):
        states = execution["history"]
        assert 1 <= len(states[0]["users"]) <= 3
        assert states[0]["users"] == [{"email": user["email"]} for user in states[-1]["users"]]
        silent += sum(one["status"] == two["status"] for one, two in pairwise(states))
    assert silent > 10
    outcomes = [user for execution in content(driver) for user in execution["history"][-1]["users"]]
    assert {frozenset(user) for user in outcomes} >= {
        frozenset({"email", "suggestedOutcome"}),
        frozenset({"email", "suggestedOutcome", "actionedOutcome"}),
    }


def test_a_step_moves_those_it_names_and_no_other(start: Start) -> None:
    driver = start(workflows=WorkflowPlan(1, 3))
    before = summaries(driver)
    name = before[1]["executionId"]
    (moved,) = step(driver, name, name)["moved"]
    assert (moved["executionId"], moved["status"]) == (name, "running")
    assert summaries(driver) == [before[0], moved, before[2]]
    assert details(driver, moved)["status"] == "running"
    while step(driver, name)["moved"]:
        pass
    assert summaries(driver)[1]["status"] in ENDS


@pytest.mark.parametrize("asked", ["execution-00000000", ["execution-00000003"], [5], ["x"], ["execution-ü"]])
def test_a_step_of_what_is_not_there_is_400_and_moves_nothing(start: Start, asked: Any) -> None:
    driver = start(workflows=WorkflowPlan(1, 3))
    body = {"executions": ["execution-00000001", *asked] if isinstance(asked, list) else asked}
    assert driver.http.post("/_sandbox/executions/step", json=body).status_code == 400
    assert {summary["status"] for summary in summaries(driver)} == {"scheduled"}


def test_the_clock_moves_them_and_those_that_take_long_end_long_after(start: Start, hands: Hands) -> None:
    driver = start(workflows=WorkflowPlan(1, 100, seconds_per_state=60))
    assert driver.http.post("/_sandbox/executions/step").status_code == 400
    hands.now += 5 * 90
    shown = content(driver)
    ended = {execution["takesLong"]: set[bool]() for execution in shown}
    for execution in shown:
        ended[execution["takesLong"]].add("endTime" in execution)
    assert ended == {False: {True}, True: {False}}
    hands.now += 20 * 90
    later = content(driver)
    assert all("endTime" in execution for execution in later)
    assert [execution["history"][:2] for execution in later] == [
        execution["history"][:2] for execution in shown
    ], "what was stays as it was"
    times = [state["at"] for state in later[0]["history"]]
    assert times == sorted(set(times))


@pytest.fixture
def twelve(start: Start) -> Driver:
    """A sandbox with an execution every five seconds of the last minute."""
    return start(workflows=WorkflowPlan(1, 12), export_rate_limit=None)


SIDES = st.none() | st.sampled_from([f"2025-12-31T23:59:{second:02d}Z" for second in range(60)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(SIDES, SIDES)
def test_a_range_holds_what_starts_in_it_and_may_be_open(
    twelve: Driver, first: str | None, second: str | None
) -> None:
    if first and second:
        first, second = sorted((first, second))
    query = {name: side for name, side in (("startTime", first), ("endTime", second)) if side}
    expected = [
        summary
        for summary in summaries(twelve)
        # Compared without fractions of a second: all starts and sides are whole seconds.
        if (first or "") <= summary["startTime"].replace(".000", "") < (second or "~")
    ]
    assert summaries(twelve, **query) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"startTime": "2026-01-01"},
        {"endTime": "x"},
        {"startTime": "2026-01-02T00:00Z", "endTime": "2026-01-01T00:00Z"},
    ],
)
def test_a_bad_range_is_400(twelve: Driver, query: dict[str, str]) -> None:
    assert twelve.call("GET", path("workflow-1"), params=query).status_code == 400


def test_what_is_not_there_is_404(start: Start) -> None:
    driver = start(workflows=WorkflowPlan(2, 4))
    asked = [
        path("workflow-3"),
        path("workflow-1", "execution-00000004"),
        path("workflow-1", "execution-0"),
        path("workflow-2", "execution-00000000"),
    ]
    assert [driver.call("GET", each).status_code for each in asked] == [404] * 4
    driver.http.delete("/_sandbox/workflows/workflow-1")
    gone = [path("workflow-1"), path("workflow-1", "execution-00000000")]
    assert [driver.call("GET", each).status_code for each in gone] == [404] * 2
    driver.http.put("/_sandbox/workflows/new", json={})
    assert summaries(driver, "new") == []


def test_the_seed_decides_and_a_reset_begins_again(start: Start) -> None:
    first, same, other = (start(workflows=WorkflowPlan(1, 30), seed=seed) for seed in (1, 1, 2))
    for driver in (first, same, other):
        for _ in range(6):
            step(driver)
    assert content(first) == content(same) != content(other)
    before = content(same)
    same.http.post("/_sandbox/reset")
    assert {len(execution["history"]) for execution in content(same)} == {1}
    for _ in range(6):
        step(same)
    assert content(same) == before


def test_executions_need_a_workflow_and_the_reading_scope(twelve: Driver) -> None:
    with pytest.raises(ValueError, match="workflow"):
        WorkflowPlan(0, 1)
    twelve.login(scope=CONNECTOR_WRITE)
    assert twelve.call("GET", path("workflow-1")).status_code == 403
    assert twelve.call("GET", path("workflow-1", "execution-00000000")).status_code == 403
