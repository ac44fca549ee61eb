"""List and get the executions of provisioning workflows, which go on while one looks."""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.sandbox.call import Answer, Call, Listing, Operation, Page, json_answer, json_object, refusal
from bridge.sandbox.config import REPORT_READ, SandboxConfig
from bridge.sandbox.course import course
from bridge.sandbox.execution import Execution
from bridge.sandbox.plans import WorkflowPlan
from bridge.sandbox.times import window
from bridge.sandbox.workflows import Workflows, workflow_id

RECENT_SECONDS = 60
"""Executions that all start at once do so in this time before the sandbox starts."""
_PATH = "/services/export/v1/customer/provisioning-workflows/{workflow}/executions"
_PREFIX = "execution-"


class Executions:
    """The executions of the planned workflows. `clock` gives seconds since the epoch.

    What an execution goes through follows from the seed and its number; only moves by hand are kept.
    """

    name = "executions"
    content_path = "executions"

    def __init__(self, config: SandboxConfig, clock: Callable[[], float], workflows: Workflows) -> None:
        self._plan = config.workflows or WorkflowPlan(0, 0)
        self._seed = config.seed
        self._clock = clock
        self._workflows = workflows
        self.reset()

    def operations(self) -> Sequence[Operation]:
        """The summaries of a workflow's executions, and one execution."""
        summaries, one = "list_provisioning_execution_summaries", "get_provisioning_workflow_execution"
        return [
            Operation(summaries, "GET", _PATH, REPORT_READ, self._list, listing=Listing("executions")),
            Operation(one, "GET", _PATH + "/{execution}", REPORT_READ, self._get),
        ]

    def switches(self) -> Sequence[Operation]:
        """Moving executions on."""
        return [Operation("step_executions", "POST", "/_sandbox/executions/step", None, self._step)]

    def _list(self, call: Call) -> Answer:
        if call.params["workflow"] not in self._workflows:
            return refusal(404, "there is no such workflow")
        try:
            asked = window(call.query)
        except ValueError as error:
            return refusal(400, str(error))
        numbers = self._numbers_of(call.params["workflow"])
        first = 0 if asked.start is None else bisect_left(numbers, asked.start, key=self._start)
        end = None if asked.end is None else bisect_left(numbers, asked.end, key=self._start)
        summaries = [self._execution(number).summary() for number in numbers[first:end]]
        return json_answer(200, {"executions": summaries})

    def _get(self, call: Call) -> Answer:
        found = self._found(call.params["execution"])
        if (
            found is None
            or found.workflow != call.params["workflow"]
            or found.workflow not in self._workflows
        ):
            return refusal(404, "there is no such execution")
        return json_answer(200, found.details())

    def _step(self, call: Call) -> Answer:
        if self._plan.seconds_per_state is not None:
            raise ValueError("the clock moves executions here")
        asked = json_object(call.body).get("executions") if call.body else None
        now = int(self._clock() * 1000)
        moving = self._in_turn() if asked is None else self._named(asked)
        for execution in moving:
            self._moved.setdefault(execution.number, []).append(now)
        moved = [self._execution(execution.number).summary() for execution in moving]
        return json_answer(200, {"moved": moved, "open": len(self._open())})

    def _in_turn(self) -> list[Execution]:
        """All that have not ended; those that take long stay before their end until the others have."""
        going = self._open()
        return [execution for execution in going if not execution.waits] or going

    def _named(self, asked: Any) -> list[Execution]:
        found = [self._found(name) for name in asked] if isinstance(asked, list) else [None]
        by_number = {execution.number: execution for execution in found if execution is not None}
        if None in found:
            raise ValueError("executions must be an array of ids of executions that have started")
        return [execution for execution in by_number.values() if not execution.ended]

    def _open(self) -> list[Execution]:
        executions = map(self._execution, range(self._started()))
        return [execution for execution in executions if not execution.ended]

    def _found(self, name: object) -> Execution | None:
        """The execution with this id, if it has started."""
        digits = name.removeprefix(_PREFIX)[-9:] if isinstance(name, str) else ""
        number = int(digits) if digits.isascii() and digits.isdigit() else self._started()
        return self._execution(number) if _id(number) == name and number < self._started() else None

    def _execution(self, number: int) -> Execution:
        found, start = course(self._plan, self._seed, number), self._start(number)
        moves: Sequence[int] = self._moved.get(number, ())
        if self._plan.seconds_per_state is not None:
            now = self._clock() * 1000
            times = (start + int(seconds * 1000) for seconds in found.moves_at)
            moves = [time for time in times if time <= now]
        workflow = workflow_id(number % self._plan.workflows)
        return Execution(number, _id(number), workflow, start, found, moves)

    def _numbers_of(self, workflow: str) -> range:
        """The numbers of a workflow's executions that have started: they take turns among the workflows."""
        planned = self._plan.workflows
        place = next((number for number in range(planned) if workflow_id(number) == workflow), None)
        return range(0) if place is None else range(place, self._started(), planned)

    def _started(self) -> int:
        slots = math.floor((self._clock() - self._first) * self._rate) + 1
        return min(max(slots, 0), self._plan.executions)

    def _start(self, number: int) -> int:
        """When the execution started, in milliseconds since the epoch."""
        return int((self._first + number / self._rate) * 1000)

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """Executions started so far, and those that have not ended."""
        started = self._started()
        return {"": {"started": started, "open": len(self._open())}} if started else {}

    def page(self, app: str, offset: int, limit: int) -> Page:
        """Every execution with all the states it went through, and when."""
        started = self._started()
        numbers = range(started)[offset : offset + limit]
        return Page([self._execution(number).history() for number in numbers], started, started)

    def reset(self) -> None:
        """Begins the plan again."""
        now, plan = self._clock(), self._plan
        self._rate = plan.per_second or max(plan.executions, 1) / RECENT_SECONDS
        self._first = now if plan.per_second else now - RECENT_SECONDS
        self._moved: dict[int, list[int]] = {}


def _id(number: int) -> str:
    return f"{_PREFIX}{number:08d}"
