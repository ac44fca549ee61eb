"""List provisioning workflows: those planned, changed, added and taken away by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.sandbox.call import Answer, Call, Listing, Operation, Page, json_answer, json_object, refusal
from bridge.sandbox.config import REPORT_READ, SandboxConfig
from bridge.sandbox.fields import text_problem

FIELDS = ("workflowName", "applicationId", "status")


class Workflows:
    """The workflows there are."""

    name = "workflows"
    content_path = "workflows"

    def __init__(self, config: SandboxConfig) -> None:
        self._plan = config.workflows
        self._max_workflows = config.max_apps
        self.reset()

    def operations(self) -> Sequence[Operation]:
        """The list."""
        path = "/services/export/v1/customer/provisioning-workflows"
        listing = Listing("workflows")
        return [
            Operation("list_provisioning_workflows", "GET", path, REPORT_READ, self._list, listing=listing)
        ]

    def switches(self) -> Sequence[Operation]:
        """Setting fields of a workflow, new or not, and taking it away."""
        path = "/_sandbox/workflows/{workflow}"
        return [
            Operation("set_workflow", "PUT", path, None, self._set),
            Operation("remove_workflow", "DELETE", path, None, self._remove),
        ]

    def __contains__(self, workflow: str) -> bool:
        return workflow in self._held

    def _list(self, _call: Call) -> Answer:
        return json_answer(200, {"workflows": list(self._held.values())})

    def _set(self, call: Call) -> Answer:
        fields, workflow = json_object(call.body), call.params["workflow"]
        if not fields.keys() <= set(FIELDS):
            raise ValueError(f"a workflow has these fields: {', '.join(FIELDS)}")
        if problem := text_problem(fields, *FIELDS):
            raise ValueError(problem)
        if workflow not in self._held and len(self._held) >= self._max_workflows:
            raise ValueError(f"the sandbox holds at most {self._max_workflows} workflows")
        self._held[workflow] = {"workflowId": workflow, **self._held.get(workflow, {}), **fields}
        return json_answer(200, self._held[workflow])

    def _remove(self, call: Call) -> Answer:
        removed = self._held.pop(call.params["workflow"], None)
        return json_answer(200, removed) if removed else refusal(404, "there is no such workflow")

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """How many there are."""
        return {"": {"workflows": len(self._held)}} if self._held else {}

    def page(self, app: str, offset: int, limit: int) -> Page:
        """The workflows there are now."""
        held = list(self._held.values())
        return Page(held[offset : offset + limit], len(held), len(held))

    def reset(self) -> None:
        """Goes back to the plan."""
        planned = [_planned(number) for number in range(self._plan.workflows if self._plan else 0)]
        self._held = {workflow["workflowId"]: workflow for workflow in planned}


def workflow_id(number: int) -> str:
    """The id of a planned workflow, by its number from 0."""
    return f"workflow-{number + 1}"


def _planned(number: int) -> dict[str, Any]:
    return {
        "workflowId": workflow_id(number),
        "workflowName": f"{('Onboarding', 'Offboarding', 'License reclaim')[number % 3]} {number + 1}",
        "applicationId": f"saas-{number + 1}",
        "status": "inactive" if number % 5 == 4 else "active",
    }
