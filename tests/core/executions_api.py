"""An API of workflows and executions to play rounds against, and what a test reads of a round.

The API changes only when told to.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from bridge.core.polling import Ask, Emission, Page
from bridge.core.record import Doc
from bridge.core.stream import Operation
from tests.core.rounds import Player, ms, rows, text


@dataclass
class Execution:
    """Times are milliseconds since 1970. `revision` is told with the details, and grows with each change."""

    workflow: str
    id: str
    start: int
    status: str = "running"
    end: int | None = None
    users: dict[str, str] = field(default_factory=dict)  # outcome by e-mail address
    revision: int = 0
    has_details: bool = True
    listed: bool = True


@dataclass
class ExecutionsApi:
    """`listed_by` says which of its times an execution is listed by; `unit` how exactly times are told."""

    workflows: dict[str, Doc] = field(default_factory=dict)
    executions: dict[tuple[str, str], Execution] = field(default_factory=dict)
    listed_by: Literal["start", "end", "either"] = "start"
    unit: str = "milliseconds"

    def workflow(self, id: str, **fields: Any) -> None:
        self.workflows[id] = {"workflowId": id, **fields}

    def execution(self, id: str, start: int, workflow: str = "w", **fields: Any) -> Execution:
        execution = self.executions[workflow, id] = Execution(workflow, id, start, **fields)
        return execution

    def __call__(self, ask: Ask) -> Page | None:
        match ask.operation:
            case Operation.LIST_WORKFLOWS:
                return rows(*self.workflows.values())
            case Operation.LIST_EXECUTIONS:
                return self._list(ask)
            case Operation.GET_EXECUTION:
                return self._details(ask)
        raise AssertionError(ask)

    def _list(self, ask: Ask) -> Page | None:
        workflow = ask.place["workflow"]
        begin, end = ms(ask.parameters["startTime"]), ms(ask.parameters["endTime"])
        assert begin < end
        if workflow not in self.workflows:
            return None
        found = (each for each in self.executions.values() if each.workflow == workflow and each.listed)
        return rows(*(self._summary(each) for each in found if self._within(each, begin, end)))

    def _within(self, execution: Execution, begin: int, end: int) -> bool:
        match self.listed_by:
            case "start":
                return begin <= execution.start < end
            case "end":
                return execution.end is not None and begin <= execution.end < end
            case "either":  # whatever went on at any time in the window
                return execution.start < end and (execution.end is None or begin <= execution.end)

    def _summary(self, execution: Execution) -> Doc:
        row = {"executionId": execution.id, "workflowId": execution.workflow, "status": execution.status}
        row["startTime"] = text(execution.start, self.unit)
        return row if execution.end is None else row | {"endTime": text(execution.end, self.unit)}

    def _details(self, ask: Ask) -> Page | None:
        execution = self.executions[ask.place["workflow"], ask.place["execution"]]
        if not execution.has_details:
            return None
        users = [{"email": email, "actionedOutcome": said} for email, said in execution.users.items()]
        row = {"executionId": execution.id, "status": execution.status, "users": users}
        return rows({**row, "revision": execution.revision})


def api(**fields: Any) -> ExecutionsApi:
    """With one workflow."""
    made = ExecutionsApi(**fields)
    made.workflow("w", workflowName="Leavers", applicationId="7", status="active")
    return made


def asked(player: Player, operation: Operation) -> list[Ask]:
    return [ask for ask in player.asked if ask.operation is operation]


def looked_at(player: Player) -> list[str]:
    """The executions whose details the last round asked for."""
    return [ask.place["execution"] for ask in asked(player, Operation.GET_EXECUTION)]


def windows(player: Player) -> list[tuple[str, str]]:
    """The times between which the last round asked for lists."""
    lists = asked(player, Operation.LIST_EXECUTIONS)
    return [(ask.parameters["startTime"], ask.parameters["endTime"]) for ask in lists]


def states(emissions: list[Emission]) -> list[tuple[str, int, str]]:
    """Key, number and status of each execution that went out."""
    docs = [(e.key, e.doc) for e in emissions if e.output == "executions"]
    return [(key, doc["sequence"], doc["status"]) for key, doc in docs if doc is not None]


def users(emissions: list[Emission]) -> list[tuple[str, int, str | None]]:
    """Key, number and outcome of each user that went out."""
    docs = [(e.key, e.doc) for e in emissions if e.output == "execution_users"]
    return [(key, doc["sequence"], doc.get("actionedOutcome")) for key, doc in docs if doc is not None]
