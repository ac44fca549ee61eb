"""Executions that come, change and end under polling, through crashes and failures at any step."""

from collections import defaultdict
from typing import Any
from urllib.parse import quote

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.core.polling import Ask, Page, RoundFailed
from bridge.core.record import Doc
from bridge.core.stream import Operation
from bridge.streams.executions import EXECUTIONS
from tests.core.executions_api import Execution, ExecutionsApi
from tests.core.rounds import DAY, HOUR, MINUTE, Player, ms, text

NOW = 1_767_225_600_123
PEOPLE = ("ann@example.com", "bob@example.com")

Record = tuple[str | None, int | None, frozenset[tuple[str, str]]]
"""Status, end and outcomes."""


class ExecutionsThroughCrashes(RuleBasedStateMachine):
    """Plays the API, the clock and the process. A crash and an answer that fails leave the same: the cursor.

    An execution shows up late by half an hour at most, where the overlap is an hour. With each change its
    revision grows, so that records show in which order and from which moment they are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.api = ExecutionsApi()
        self.player = Player(EXECUTIONS, self.answer, max_window_days=2)
        self.seen: dict[str, Doc] = {}  # the last details of each execution that this round was told
        self.checked = 0
        self.sequence: dict[str, int] = {}
        self.revision: dict[str, int] = {}
        self.last: dict[str, Doc] = {}
        self.outcomes: dict[str, dict[str, str]] = defaultdict(dict)

    @initialize(
        listed_by=st.sampled_from(("start", "end", "either")),
        unit=st.sampled_from(("milliseconds", "seconds")),
    )
    def begin(self, listed_by: Any, unit: str) -> None:
        self.api.listed_by, self.api.unit = listed_by, unit
        self.api.workflow("w/0", workflowName="Leavers")
        self.play()

    def answer(self, ask: Ask) -> Page | None:
        page = self.api(ask)
        if ask.operation is Operation.GET_EXECUTION and page is not None:
            self.seen[ask.place["execution"]] = page.rows[0]
        return page

    # -- the API ---------------------------------------------------------------------------------------------

    @rule()
    def workflow_comes(self) -> None:
        self.api.workflow(f"w/{len(self.api.workflows)}{self.now}")

    @precondition(lambda self: len(self.api.workflows) > 1)
    @rule()
    def workflow_goes(self) -> None:
        """What runs under it goes on, and is followed; what was never seen is not missed."""
        gone = sorted(self.api.workflows)[-1]
        del self.api.workflows[gone]
        for execution in self.api.executions.values():
            if execution.workflow == gone:
                execution.listed = False

    @rule(
        data=st.data(),
        late=st.integers(0, 30 * MINUTE),
        has_details=st.sampled_from((True, True, True, False)),
    )
    def starts(self, data: st.DataObject, late: int, has_details: bool) -> None:
        workflow = data.draw(st.sampled_from(sorted(self.api.workflows)))
        id = f"e{len(self.api.executions)}"
        people = dict.fromkeys(data.draw(st.sets(st.sampled_from(PEOPLE))), "none")
        self.api.execution(id, self.now - late, workflow, users=people, has_details=has_details)

    def running(self) -> list[Execution]:
        return [each for each in self.api.executions.values() if each.status in ("running", "waiting")]

    def draw_running(self, data: st.DataObject) -> Execution:
        execution: Execution = data.draw(st.sampled_from(self.running()))
        execution.revision += 1
        return execution

    @precondition(lambda self: self.running())
    @rule(data=st.data(), status=st.sampled_from(("running", "waiting")))
    def moves_on(self, data: st.DataObject, status: str) -> None:
        self.draw_running(data).status = status

    @precondition(lambda self: self.running())
    @rule(
        data=st.data(), person=st.sampled_from(PEOPLE), outcome=st.sampled_from(("none", "revoked", "kept"))
    )
    def decides(self, data: st.DataObject, person: str, outcome: str) -> None:
        self.draw_running(data).users[person] = outcome

    @precondition(lambda self: self.running())
    @rule(data=st.data(), status=st.sampled_from(("Completed", "cancelled")))
    def ends(self, data: st.DataObject, status: str) -> None:
        """One that is cancelled never gets a time, unless that is what lists go by."""
        execution = self.draw_running(data)
        execution.status = status
        if status == "Completed" or self.api.listed_by == "end":
            execution.end = self.now

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def loses_its_details(self, data: st.DataObject) -> None:
        self.draw_running(data).has_details = False

    # -- the clock and the process ---------------------------------------------------------------------------

    @rule(
        milliseconds=st.one_of(st.integers(0, 10 * MINUTE), st.integers(0, 3 * HOUR), st.integers(0, 9 * DAY))
    )
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    @precondition(lambda self: not self.player.under_way)
    @rule()
    def start_round(self) -> None:
        self.seen = {}
        self.player.begin(self.now)

    @precondition(lambda self: self.player.under_way)
    @rule(steps=st.integers(1, 6))
    def go_on(self, steps: int) -> None:
        while self.player.under_way and steps:
            try:
                if not self.player.step():
                    self.what_was_seen_is_out()
            except RoundFailed:
                pass  # a workflow was deleted just then
            steps -= 1

    @precondition(lambda self: self.player.under_way)
    @rule()
    def die_or_fail(self) -> None:
        self.player.crash()

    def play(self) -> int:
        """A round on its own; how much it put out."""
        self.start_round()
        before = len(self.player.out)
        while self.player.step():
            pass
        self.what_was_seen_is_out()
        return len(self.player.out) - before

    # -- what must be ----------------------------------------------------------------------------------------

    @invariant()
    def each_change_is_out_once_and_in_order(self) -> None:
        for emission in self.player.out[self.checked :]:
            doc = emission.doc
            assert doc is not None
            id, sequence = doc["executionId"], doc["sequence"]
            if emission.output == "execution_users":
                assert sequence == self.sequence[id]
                assert doc["actionedOutcome"] != self.outcomes[id].get(doc["email"])
                self.outcomes[id][doc["email"]] = doc["actionedOutcome"]
                continue
            assert sequence == self.sequence.get(id, 0) + 1
            if "extra" in doc:  # it has details
                assert int(doc["extra"]["revision"]) > self.revision.get(id, -1)
                self.revision[id] = int(doc["extra"]["revision"])
            self.sequence[id], self.last[id] = sequence, doc
        self.checked = len(self.player.out)

    def what_was_seen_is_out(self) -> None:
        self.each_change_is_out_once_and_in_order()
        for id, details in self.seen.items():
            assert self.last[id]["status"] == details["status"]
            assert self.outcomes[id] == {user["email"]: user["actionedOutcome"] for user in details["users"]}

    def told(self, time: int | None) -> int | None:
        return None if time is None else ms(text(time, self.api.unit))

    def teardown(self) -> None:
        if self.player.under_way:
            self.player.crash()
        self.now += 2000
        self.play()
        for execution in self.api.executions.values():
            known = execution.id in self.last
            if execution.has_details and (known or self.must_be_known(execution)):
                last = self.last[execution.id]
                assert last["status"] == execution.status
                if execution.listed:  # only the list says when it ended, and it went with the workflow
                    assert last.get("endTime") == self.told(execution.end)
                assert self.outcomes[execution.id] == execution.users
        assert self.play() == 0
        for _ in range(3):
            self.now += 9 * DAY
            assert self.play() == 0
        left = {name for name, entry in self.player.cursor.items() if not entry.get("open")}
        assert left <= {"head"} | self.listed_for_ever()

    def listed_for_ever(self) -> set[str]:
        """Where a list shows what went on in a window, it shows what has no end in every one."""
        executions = self.api.executions.values() if self.api.listed_by == "either" else ()
        return {
            f"execution/{quote(each.workflow, safe='')}/{each.id}" for each in executions if each.end is None
        }

    def must_be_known(self, execution: Execution) -> bool:
        return execution.listed and (self.api.listed_by != "end" or execution.end is not None)


TestExecutionsThroughCrashes = ExecutionsThroughCrashes.TestCase
TestExecutionsThroughCrashes.settings = settings(max_examples=200, stateful_step_count=50)
