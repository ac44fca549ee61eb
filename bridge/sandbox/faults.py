"""The faults that are switched on, and which of them a call draws."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import ValidationError

from bridge.sandbox.fault_kinds import FAULT, KINDS, Fault, Phase, phase

MAX_FAULTS = 100


class BadFault(ValueError):
    """A fault request that cannot be used; `problems` name each field and what it may hold."""

    def __init__(self, problems: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{problem['field']}: {problem['message']}" for problem in problems))
        self.problems = problems


@dataclass(slots=True)
class Armed:
    """One fault that is switched on, with a source of chance of its own that no other fault disturbs."""

    id: int
    fault: Fault
    random: random.Random
    met: int = 0
    fired: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has fired as often as it was to."""
        return self.fault.times is not None and self.fired >= self.fault.times

    def meets(self, operation: str, app: str) -> bool:
        """Whether a call is one this fault is for."""
        if self.fault.app is not None and self.fault.app != app:
            return False
        # Without a name a fault leaves the token call alone: a broken API is not a broken login.
        return operation == (self.fault.operation or operation) and (
            operation != "get_access_token" or self.fault.operation is not None
        )

    def fires(self) -> bool:
        """Counts a call it met and says whether it strikes."""
        self.met += 1
        if self.met <= self.fault.skip:
            return False
        if self.fault.share < 1 and self.random.random() >= self.fault.share:
            return False
        self.fired += 1
        return True

    def state(self) -> dict[str, Any]:
        """The fault as it was asked for, with how often it met a call and fired."""
        fault = self.fault.model_dump()
        return {"id": self.id, **fault, "met": self.met, "fired": self.fired, "active": not self.spent}


@dataclass(slots=True)
class Faults:
    """All faults, in the order they were switched on. The same seed and calls draw the same faults."""

    seed: int
    operations: Iterable[str]
    _armed: list[Armed] = field(default_factory=list)
    _last_id: int = 0

    def add(self, request: Any) -> Armed:
        """Switches a fault on.

        Raises:
            BadFault: the request names an unknown kind, field or value, or there are too many faults.
        """
        fault = _parsed(request)
        operations = sorted(self.operations)
        if fault.operation is not None and fault.operation not in operations:
            raise BadFault([_problem("operation", f"must be null or one of: {', '.join(operations)}")])
        if len(self._armed) >= MAX_FAULTS:
            self._armed = [armed for armed in self._armed if not armed.spent]
        if len(self._armed) >= MAX_FAULTS:
            raise BadFault([_problem("faults", f"at most {MAX_FAULTS} at a time; clear some")])
        self._last_id += 1
        chance = random.Random(f"{self.seed}/{self._last_id}")  # noqa: S311  (repeatable on purpose)
        self._armed.append(Armed(self._last_id, fault, chance))
        return self._armed[-1]

    def draw(self, when: Phase, operation: str, app: str) -> Iterator[Armed]:
        """The faults that strike a call, one by one; whoever stops asking spares the call the rest."""
        for armed in list(self._armed):
            if (
                phase(armed.fault) == when
                and armed.meets(operation, app)
                and not armed.spent
                and armed.fires()
            ):
                yield armed

    def poisons(self, operation: str, app: str) -> list[Armed]:
        """The poison faults that look at a call's records; they fire only where they find their marker."""
        return [
            armed
            for armed in self._armed
            if phase(armed.fault) == "poison" and armed.meets(operation, app) and not armed.spent
        ]

    def clear(self, fault_id: int | None = None) -> int:
        """Switches off one fault, or all; returns how many."""
        before = len(self._armed)
        self._armed = [armed for armed in self._armed if fault_id is not None and armed.id != fault_id]
        return before - len(self._armed)

    def reset(self) -> None:
        """Switches all off and begins the sequence of chance again."""
        self._armed.clear()
        self._last_id = 0

    def state(self) -> list[dict[str, Any]]:
        """Every fault with how often it fired; spent ones stay listed as not active."""
        return [armed.state() for armed in self._armed]


def _parsed(request: Any) -> Fault:
    if not isinstance(request, dict):
        raise BadFault([_problem("body", "must be a JSON object")])
    if request.get("kind") not in KINDS:
        raise BadFault([_problem("kind", f"must be one of: {', '.join(KINDS)}")])
    try:
        return FAULT.validate_python(request)
    except ValidationError as error:
        raise BadFault([_explained(request["kind"], dict(detail)) for detail in error.errors()]) from None


def _explained(kind: str, detail: dict[str, Any]) -> dict[str, str]:
    name = str(detail["loc"][1])
    fields = KINDS[kind].model_fields
    if name not in fields:
        return _problem(name, f"is not a field of {kind}; its fields are: {', '.join(fields)}")
    if values := get_args(fields[name].annotation) if detail["type"] == "literal_error" else ():
        return _problem(name, f"must be one of: {', '.join(map(str, values))}")
    return _problem(name, detail["msg"])


def _problem(name: str, message: str) -> dict[str, str]:
    return {"field": name, "message": message}
