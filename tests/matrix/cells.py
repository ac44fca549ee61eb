"""What is tried: every disturbance with every answer of the API, for every shape of the apps.

A cell is one of each. In every cell usage, users and spend run at once in the same processes, so each pair of
a disturbance and an answer meets each stream in each shape, and nothing had to be chosen.
"""

from dataclasses import dataclass
from enum import StrEnum


class Disturbance(StrEnum):
    """What happens to the processes, the group or the broker (`disturb.py` does it)."""

    NONE = "none"
    KILL = "SIGKILL"
    TERM = "SIGTERM"
    JOIN = "member joins"
    LEAVE = "member leaves"
    RESTART = "broker restarts"
    PAUSE = "broker paused"
    RESET = "offsets reset back"


class Answer(StrEnum):
    """How the API answers meanwhile (`answers.py` makes it)."""

    OK = "200"
    ITEMS = "400 naming a record"
    NO_ITEMS = "400 naming none"
    DENIED_ONCE = "401 once"
    DENIED = "401 for a minute"
    FORBIDDEN = "403"
    TOO_LARGE = "413"
    THROTTLED_SECONDS = "429 for seconds"
    THROTTLED_DATE = "429 until a date"
    THROTTLED = "429 without a time"
    ERRORS = "500 burst"
    UNAVAILABLE = "503"
    REFUSED = "connection refused"
    CUT = "reset in mid-body"
    LOST = "answer lost"
    STALLED = "30 s stall"
    NO_SUCCESS = "success: false"
    MALFORMED = "malformed JSON"
    NO_TOKEN = "token endpoint down"


class Shape(StrEnum):
    """Whose records there are, and whose requests the answer meets."""

    ONE = "one app"
    MANY = "many apps"
    BROKEN = "one app broken"


OF_ALL_APPS = {Answer.OK, Answer.REFUSED, Answer.NO_TOKEN}
"""Answers that no app can have for itself, so that there is no cell with one app broken."""

NEEDS_OWN_BROKER = {Disturbance.RESTART, Disturbance.PAUSE}


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to try."""

    disturbance: Disturbance
    answer: Answer
    shape: Shape

    def __str__(self) -> str:
        return f"{self.disturbance} / {self.answer} / {self.shape}"


ALL = [
    Cell(disturbance, answer, shape)
    for disturbance in Disturbance
    for answer in Answer
    for shape in Shape
    if not (shape is Shape.BROKEN and answer in OF_ALL_APPS)
]


def chosen() -> list[Cell]:
    """What `make test` runs: every disturbance, every answer and every shape at least once."""
    disturbances, shapes = list(Disturbance), list(Shape)
    cells = []
    for turn, answer in enumerate(Answer):
        shape = shapes[turn % len(shapes)]
        if shape is Shape.BROKEN and answer in OF_ALL_APPS:
            shape = Shape.MANY
        cells.append(Cell(disturbances[(turn + 1) % len(disturbances)], answer, shape))
    return cells
