"""The API in a soak: refuses marked records all the time, and answers all else as each turn says."""

from tests.matrix.answers import TABLE, Behaviour, Fault, always_one_of
from tests.matrix.api import Api
from tests.matrix.cells import Answer
from tests.soak.plan import POISON, Turn


class BrokenApi:
    """Makes an API answer badly. `struck` counts its faults, `doubtful` those that leave calls in doubt."""

    def __init__(self, api: Api) -> None:
        self.struck = 0
        self.doubtful = 0
        self._api = api
        self._on: dict[int, Behaviour] = {}

    def poison(self) -> None:
        """From now on refuses marked records, in one of the ways there are."""
        faults = [fault for answer in POISON for fault in TABLE[answer].faults]
        for fault in always_one_of(tuple({**fault, "share": 1} for fault in faults)):
            self._api.fault(**fault)

    def turn(self, turn: Turn) -> None:
        """Answers as this turn says, and no longer as the one before."""
        self.mend()
        behaviour = TABLE[turn.answer]
        if turn.broken is not None:
            app, answer = turn.broken
            self._arm(TABLE[answer], _of_app(answer, app))
        self._arm(behaviour, behaviour.faults)
        if behaviour.off:
            self._api.switch_off()

    def mend(self) -> None:
        """Answers well again."""
        if self._api.is_off:
            self._api.switch_on()
        for fault, behaviour in self._on.items():
            fired = self._api.fired(fault)
            self._api.clear_faults(fault)
            self.struck += fired
            self.doubtful += fired if behaviour.doubtful else 0
        self._on.clear()

    def _arm(self, behaviour: Behaviour, faults: tuple[Fault, ...]) -> None:
        self._on.update({self._api.fault(**fault): behaviour for fault in faults})


def _of_app(answer: Answer, app: str) -> tuple[Fault, ...]:
    return tuple({**fault, "app": app} for fault in always_one_of(TABLE[answer].faults))
