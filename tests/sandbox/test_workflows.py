from typing import Any

import pytest

from bridge.sandbox import CONNECTOR_WRITE, WorkflowPlan
from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver

PATH = "/services/export/v1/customer/provisioning-workflows"


def listed(driver: Driver) -> list[dict[str, Any]]:
    answer = driver.call("GET", PATH)
    assert answer.status_code == 200, answer.text
    workflows: list[dict[str, Any]] = answer.json()["workflows"]
    return workflows


def test_planned_workflows_have_the_fields_of_the_api(start: Start) -> None:
    driver = start(workflows=WorkflowPlan(6, 0))
    workflows = listed(driver)
    assert len({workflow["workflowId"] for workflow in workflows}) == 6
    assert all(
        workflow.keys() == {"workflowId", "workflowName", "applicationId", "status"} for workflow in workflows
    )
    assert {workflow["status"] for workflow in workflows} == {"active", "inactive"}
    assert driver.http.get("/_sandbox/workflows").json()["items"] == workflows
    assert driver.state()["company"] == {"workflows": {"workflows": 6}}


def test_workflows_are_added_changed_and_taken_away_by_hand(start: Start) -> None:
    driver = start(workflows=WorkflowPlan(2, 0))
    first, second = listed(driver)
    first_path = f"/_sandbox/workflows/{first['workflowId']}"
    changed = driver.http.put(first_path, json={"status": "paused"}).json()
    added = driver.http.put("/_sandbox/workflows/new", json={"workflowName": "New"}).json()
    assert (changed, added) == ({**first, "status": "paused"}, {"workflowId": "new", "workflowName": "New"})
    assert listed(driver) == [changed, second, added]
    assert driver.http.delete(first_path).json() == changed
    assert driver.http.delete(first_path).status_code == 404
    assert listed(driver) == [second, added]
    driver.http.post("/_sandbox/reset")
    driver.login()
    assert listed(driver) == [first, second]


@pytest.mark.parametrize("fields", [{"workflowId": "x"}, {"status": 5}, {"colour": "red"}, []])
def test_bad_fields_by_hand_are_400(sandbox: Driver, fields: Any) -> None:
    answer = sandbox.http.put("/_sandbox/workflows/w", json=fields)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert listed(sandbox) == []


def test_workflows_by_hand_are_bounded(start: Start) -> None:
    driver = start(max_apps=1)
    statuses = [driver.http.put(f"/_sandbox/workflows/{name}", json={}).status_code for name in "aba"]
    assert statuses == [200, 400, 200]


def test_workflows_need_the_reading_scope(sandbox: Driver) -> None:
    sandbox.login(scope=CONNECTOR_WRITE)
    assert sandbox.call("GET", PATH).status_code == 403
