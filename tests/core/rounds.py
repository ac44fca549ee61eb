"""Plays the loop's side of a round: questions go to a stand-in of the API, writes into a cursor and a log."""

from collections.abc import Callable, Sequence
from typing import Any

from bridge.core.polling import Ask, Cursor, Emission, Json, Page, Round, SourceStream, Write
from bridge.core.record import Doc

Answer = Callable[[Ask], Page | None]


def rows(*rows: Doc) -> Page:
    return Page(list(rows))


class Player:
    """One source with its cursor, what came out of it, and the writes and questions of the last round."""

    def __init__(
        self, stream: SourceStream, answer: Answer, cursor: Cursor | None = None, **options: Any
    ) -> None:
        self.stream = stream
        self.options = stream.options(**options)
        self.answer = answer
        self.cursor: dict[str, Json] = dict(cursor or {})
        self.out: list[Emission] = []
        self.writes: list[Write] = []
        self.asked: list[Ask] = []
        self.waves: list[int] = []
        self._round: Round | None = None
        self._answers: Sequence[Page | None] | None = None

    def play(self, now_ms: int) -> list[Emission]:
        """A whole round; what it put out."""
        before = len(self.out)
        self.begin(now_ms)
        while self.step():
            pass
        return self.out[before:]

    def begin(self, now_ms: int) -> None:
        self.writes, self.asked, self.waves = [], [], []
        self._round = self.stream.poll(self.options, self.cursor, now_ms)
        self._answers = None

    @property
    def under_way(self) -> bool:
        return self._round is not None

    def step(self) -> bool:
        """One step of the round: asked and answered, or committed. False: the round is at its end."""
        assert self._round is not None
        try:
            step = next(self._round) if self._answers is None else self._round.send(self._answers)
        except StopIteration:
            self._round = None
            return False
        except Exception:
            self._round = None
            raise
        if isinstance(step, Write):
            self._commit(step)
            self._answers = ()
        else:
            assert isinstance(step, Sequence)
            self.asked += step
            self.waves.append(len(step))
            self._answers = [self.answer(ask) for ask in step]
        return True

    def crash(self) -> None:
        """The process dies, or an answer fails to come: the same thing, as only what was written stays."""
        assert self._round is not None
        self._round.close()
        self._round = None

    def _commit(self, write: Write) -> None:
        assert write.emissions or write.remember
        self.writes.append(write)
        self.out += write.emissions
        for name, known in write.remember.items():
            if known is None:
                del self.cursor[name]  # what is not there needs no forgetting
            else:
                self.cursor[name] = known
