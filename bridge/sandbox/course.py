"""The course an execution takes: its states one after the other, and when it moves on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from bridge.sandbox.chance import chances, pick
from bridge.sandbox.plans import WorkflowPlan

PEOPLE = 10_000
LONG_SHARE = 0.1
LONG_FACTOR = 20
"""How much longer than the others one that takes long stays in its last state before the end."""

# A state is a status with the share of users that have a suggested and an actioned outcome in it.
_State = tuple[str, float, float]
_SCHEDULED, _RUNNING = ("scheduled", 0, 0), ("running", 0, 0)
_EVERY_CHANGE_SHOWS: tuple[tuple[_State, ...], ...] = (
    (
        _SCHEDULED,
        ("running", 0.5, 0),
        ("waiting_for_approval", 1, 0),
        ("running", 1, 0.5),
        ("completed", 1, 1),
    ),
    (_SCHEDULED, ("running", 0.5, 0), ("waiting_for_approval", 1, 0), ("cancelled", 1, 0)),
)
# In these, outcomes come without a change of status, which needs somebody to have them.
_SOME_CHANGE_IN_USERS_ONLY: tuple[tuple[_State, ...], ...] = (
    (_SCHEDULED, _RUNNING, ("running", 1, 0), ("completed", 1, 1)),
    (
        _SCHEDULED,
        _RUNNING,
        ("running", 1, 0),
        ("waiting_for_approval", 1, 0),
        ("waiting_for_approval", 1, 0.5),
        ("failed", 1, 0.5),
    ),
)
_OUTCOMES = ("deprovision", "keep", "downgrade")


@dataclass(frozen=True, slots=True)
class Course:
    """What follows from the seed and an execution's number; `people` is how many users it has.

    `moves_at` has the seconds from its start to each of its changes, if the clock moves it.
    """

    number: int
    people: int
    states: tuple[_State, ...]
    takes_long: bool
    moves_at: Sequence[float]

    @property
    def changes(self) -> int:
        """How often it moves on until it has ended."""
        return len(self.states) - 1

    def status(self, moves: int) -> str:
        """Its status after so many moves."""
        return self.states[moves][0]

    def users(self, moves: int) -> list[dict[str, Any]]:
        """Its users after so many moves, each with the outcomes there are so far."""
        _, suggested, actioned = self.states[moves]
        return [
            {
                "email": f"person-{(7 * self.number + place) % PEOPLE}@example.com",
                **(
                    {"suggestedOutcome": _outcome(place)}
                    if place < math.ceil(suggested * self.people)
                    else {}
                ),
                **({"actionedOutcome": _outcome(place)} if place < math.ceil(actioned * self.people) else {}),
            }
            for place in range(self.people)
        ]


def course(plan: WorkflowPlan, seed: int, number: int) -> Course:
    """The course of the execution with this number, from 0."""
    drawn = chances(seed, "execution", number)
    low, high = plan.users
    people = low + int(drawn[0] * (high - low + 1))
    states = pick(_EVERY_CHANGE_SHOWS + (_SOME_CHANGE_IN_USERS_ONLY if people else ()), drawn[1])
    takes_long = drawn[2] < LONG_SHARE
    stays = [(0.5 + chance) * (plan.seconds_per_state or 0) for chance in drawn[3 : 2 + len(states)]]
    stays[-1] *= LONG_FACTOR if takes_long else 1
    return Course(number, people, states, takes_long, list(accumulate(stays)))


def _outcome(place: int) -> str:
    return _OUTCOMES[place % len(_OUTCOMES)]
