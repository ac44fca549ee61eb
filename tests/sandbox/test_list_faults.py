from typing import Any

import httpx2
import pytest

from bridge.sandbox import AuditPlan, PortfolioPlan, WorkflowPlan
from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver, Hands, event

EXPORT = "/services/export/v1/customer"
LISTS = {
    "get_app_summaries": (f"{EXPORT}/app-summaries", "apps"),
    "list_provisioning_workflows": (f"{EXPORT}/provisioning-workflows", "workflows"),
    "list_provisioning_execution_summaries": (
        f"{EXPORT}/provisioning-workflows/workflow-1/executions",
        "executions",
    ),
    "get_audit_events": (f"{EXPORT}/audit-events", "events"),
    "get_provisioned_users": ("/services/push/v1/customer/apps/a/users", "users"),
}
DETAILS = {
    "get_app_details": f"{EXPORT}/app-details/saas-1",
    "get_provisioning_workflow_execution": (
        f"{EXPORT}/provisioning-workflows/workflow-1/executions/execution-00000000"
    ),
}


@pytest.fixture
def full(start: Start) -> Driver:
    """A sandbox in which every list holds something, and the audit trail three pages."""
    driver = start(
        audit_events=AuditPlan(per_second=1, history_events=1100, late_share=0),
        workflows=WorkflowPlan(2, 4),
        portfolio=PortfolioPlan(3),
    )
    driver.call("POST", LISTS["get_provisioned_users"][0], json={"users": [{"email": "a@x.com"}]})
    return driver


def audit(driver: Driver, **query: str) -> dict[str, Any]:
    answer = driver.call("GET", LISTS["get_audit_events"][0], params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


@pytest.mark.parametrize("operation", LISTS)
def test_wrong_root(full: Driver, operation: str) -> None:
    path, root = LISTS[operation]
    right = full.call("GET", path).json()
    full.fault("wrong_root", operation=operation, times=1)
    full.fault("wrong_root", operation=operation, root="data", times=1)
    for other in ("items", "data"):
        wrong = full.call("GET", path)
        assert wrong.status_code == 200
        assert wrong.json() == {**{key: right[key] for key in right if key != root}, other: right[root]}
    assert full.call("GET", path).json() == right


@pytest.mark.parametrize("operation", LISTS)
def test_empty_list(full: Driver, operation: str) -> None:
    path, root = LISTS[operation]
    right = full.call("GET", path).json()
    full.fault("empty_list", operation=operation, times=1)
    assert full.call("GET", path).json() == {root: []} != right
    assert full.call("GET", path).json() == right


def test_repeat_token_on_the_first_page_leads_to_it_again(full: Driver) -> None:
    right = audit(full)
    full.fault("repeat_token", times=2)
    first = audit(full)
    token = first["nextPageToken"]
    assert first["events"] == right["events"]
    assert audit(full, nextPageToken=token) == first
    assert audit(full, nextPageToken=token) == right, "all is well once the fault is over"


def test_repeat_token_on_a_later_page_and_on_a_last_one(full: Driver) -> None:
    full.fault("repeat_token", skip=1)
    second = audit(full)["nextPageToken"]
    assert audit(full, nextPageToken=second) == audit(full, nextPageToken=second)
    assert audit(full, nextPageToken=second)["nextPageToken"] == second
    only = {"startTime": "2025-12-31T23:59:50Z", "endTime": "2026-01-01T00:00:00Z"}
    loop = audit(full, **only)["nextPageToken"]
    assert audit(full, **only, nextPageToken=loop)["nextPageToken"] == loop


def test_faults_for_lists_leave_all_else_alone_and_unspent(full: Driver) -> None:
    for kind in ("wrong_root", "empty_list", "repeat_token"):
        full.fault(kind, times=1)
    assert full.publish([event()]).status_code == 200
    for path in DETAILS.values():
        assert full.call("GET", path).json().keys().isdisjoint({"items", "nextPageToken"})
    assert full.call("GET", LISTS["get_audit_events"][0], params={"startTime": "x"}).status_code == 400
    assert [fault["met"] for fault in full.state()["faults"]] == [0, 0, 0]
    for _ in range(3):
        assert "nextPageToken" not in full.call("GET", LISTS["get_app_summaries"][0]).json()
    assert [fault["fired"] for fault in full.state()["faults"]] == [1, 1, 0], "it has no pages"


@pytest.mark.parametrize("operation", [*LISTS, *DETAILS])
def test_the_faults_of_all_calls_meet_those_that_read(full: Driver, hands: Hands, operation: str) -> None:
    path = DETAILS.get(operation) or LISTS[operation][0]
    full.fault("status", operation=operation, status=503, retry_after=2, times=1)
    answer = full.call("GET", path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    full.fault("malformed_json", operation=operation, times=1)
    with pytest.raises(ValueError, match="Expecting value"):
        full.call("GET", path).json()
    for kind in ("cut", "reset"):
        full.fault(kind, operation=operation, times=1)
        with pytest.raises(httpx2.TransportError):
            full.call("GET", path)
    full.fault("latency", operation=operation, seconds=3, times=1)
    full.fault("stall", operation=operation, seconds=4, times=1)
    assert full.call("GET", path).status_code == 200
    assert hands.slept == [3, 4]
    assert full.requests(operation)["200"] == 2


def test_no_fault_stands_before_the_switches_of_the_sandbox(full: Driver) -> None:
    full.fault("status", status=500)
    assert full.http.post("/_sandbox/executions/step").status_code == 200
