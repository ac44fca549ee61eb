"""What happens in a soak: turns made at random, the same for the same seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from tests.matrix.answers import TABLE
from tests.matrix.cells import OF_ALL_APPS, Answer, Disturbance

POISON = tuple(answer for answer, behaviour in TABLE.items() if behaviour.poison)
"""Answers to marked records, which go on all the time."""
IN_TURN = tuple(answer for answer, behaviour in TABLE.items() if not (behaviour.poison or behaviour.may_bury))
"""`success: false` is not among them: said by chance it makes dead letters of any record, and the oracle
could not tell these from wrong ones. The matrix has it.
"""
OF_ONE_APP = tuple(answer for answer in IN_TURN if answer not in OF_ALL_APPS)
BROKEN_SHARE = 0.15  # of the turns in which no app is broken, one breaks
BROKEN_TURNS = (3, 6)
BURST_SHARE = 0.2
BURST = 500
LONGEST_HOLD = 8.0

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Turn:
    """One stretch of a soak.

    The API gives `answer` to all apps, and `broken` (an app, and what it gets) has been broken for longer.
    Then comes the disturbance, `burst` records more of each stream, and nothing new for `hold` seconds.
    """

    answer: Answer
    broken: tuple[str, Answer] | None
    disturbance: Disturbance
    burst: int
    hold: float


def turns(seed: int, apps: Sequence[str]) -> Iterator[Turn]:
    """Turns without end. Each answer and each disturbance comes once before any comes again."""
    random = Random(seed)
    answers, disturbances = _bags(random, IN_TURN), _bags(random, tuple(Disturbance))
    broken, left = None, 0
    while True:
        left -= 1
        if left <= 0:
            broken = None
            if random.random() < BROKEN_SHARE:
                broken, left = (random.choice(apps), random.choice(OF_ONE_APP)), random.randint(*BROKEN_TURNS)
        burst = BURST if random.random() < BURST_SHARE else 0
        yield Turn(next(answers), broken, next(disturbances), burst, random.uniform(0.5, LONGEST_HOLD))


def _bags(random: Random, items: Sequence[Item]) -> Iterator[Item]:
    while True:
        yield from random.sample(items, len(items))
