"""One execution as it stands, and the documents that show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.sandbox.course import Course
from bridge.sandbox.times import iso


@dataclass(frozen=True, slots=True)
class Execution:
    """`start` and `moves`, the times at which it moved on so far, are milliseconds since the epoch."""

    number: int
    id: str
    workflow: str
    start: int
    course: Course
    moves: Sequence[int]

    @property
    def ended(self) -> bool:
        """Whether it will not move again."""
        return len(self.moves) == self.course.changes

    @property
    def waits(self) -> bool:
        """Whether it takes long and only its end is to come."""
        return self.course.takes_long and len(self.moves) == self.course.changes - 1

    @property
    def status(self) -> str:
        """The status it has now."""
        return self.course.status(len(self.moves))

    def summary(self) -> dict[str, Any]:
        """As in the list of a workflow's executions; endTime is there once it has ended."""
        end = {"endTime": iso(self.moves[-1])} if self.ended else {}
        return {**self._names(), "status": self.status, "startTime": iso(self.start), **end}

    def details(self) -> dict[str, Any]:
        """As when it is asked for by its id."""
        return {**self._names(), "status": self.status, "users": self.course.users(len(self.moves))}

    def history(self) -> dict[str, Any]:
        """Its summary, and all the states it went through with their users and when they began."""
        states = [
            {"at": iso(at), "status": self.course.status(moves), "users": self.course.users(moves)}
            for moves, at in enumerate([self.start, *self.moves])
        ]
        return {**self.summary(), "takesLong": self.course.takes_long, "history": states}

    def _names(self) -> dict[str, str]:
        return {"executionId": self.id, "workflowId": self.workflow}
