"""Who reports to whom in a whole org chart, and what cannot be right about it."""

from collections.abc import Mapping

from bridge.core.gate import Finding
from bridge.core.record import Doc

FIELD = "managerEmail"


def doubtful_managers(people: Mapping[str, Doc]) -> list[Finding]:
    """What is odd about the managers of a chart's people, who are given by e-mail address.

    `unknown`: people whose manager is not in the chart. `cycle`: people who are, over however many others,
    their own manager; those who merely report to such people are not counted.
    """
    managers = {email: doc[FIELD] for email, doc in people.items() if FIELD in doc}
    counts = {
        "unknown": sum(manager not in people for manager in managers.values()),
        "cycle": _in_cycles(managers),
    }
    return [Finding(FIELD, problem, count) for problem, count in counts.items() if count]


def _in_cycles(managers: Mapping[str, str]) -> int:
    """How many people are on a cycle. Each has one manager, so a walk upwards meets at most one."""
    walked_by: dict[str, str] = {}  # person -> where the walk began that came past first
    found = 0
    for start in managers:
        person: str | None = start
        while person is not None and person not in walked_by:
            walked_by[person] = start
            person = managers.get(person)
        if person is not None and walked_by[person] == start:
            found += _length(managers, person)
    return found


def _length(managers: Mapping[str, str], member: str) -> int:
    """How many people are on the cycle of one of its members."""
    length, person = 1, managers[member]
    while person != member:
        length, person = length + 1, managers[person]
    return length
