"""Plays the loop's side of a round: questions go to a stand-in of the API, writes into a cursor and a log."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.core.polling import (
    Ask,
    Cursor,
    Emission,
    Gap,
    Json,
    Page,
    Round,
    Shortened,
    SourceStream,
    Step,
    Write,
)
from bridge.core.record import Doc

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
NOW = 1_767_225_600_000  # 2026-01-01

Answer = Callable[[Ask], Page | None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(ms: int, unit: str = "milliseconds") -> str:
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec=unit)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def rows(*rows: Doc) -> Page:
    return Page(list(rows))


class Player:
    """One source with its cursor, what came out of it, and what the last round asked, wrote and told."""

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
        self.told: list[Gap | Shortened] = []
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
        self.writes, self.asked, self.waves, self.told = [], [], [], []
        self._round = self.stream.poll(self.options, self.cursor, now_ms)
        self._answers = None

    @property
    def under_way(self) -> bool:
        return self._round is not None

    def step(self) -> bool:
        """One step of the round: asked and answered, committed, or told. False: the round is at its end."""
        assert self._round is not None
        try:
            step = next(self._round) if self._answers is None else self._round.send(self._answers)
        except StopIteration:
            self._round = None
            return False
        except Exception:
            self._round = None
            raise
        self._answers = self._carry_out(step)
        return True

    def _carry_out(self, step: Step) -> Sequence[Page | None]:
        match step:
            case Write():
                self.commit(step)
            case Gap() | Shortened():
                self.told.append(step)
            case _:
                return self.ask(step)
        return ()

    def ask(self, asks: Sequence[Ask]) -> Sequence[Page | None]:
        self.asked += asks
        self.waves.append(len(asks))
        return [self.answer(ask) for ask in asks]

    def crash(self) -> None:
        """The process dies, or an answer fails to come: the same thing, as only what was written stays."""
        assert self._round is not None
        self._round.close()
        self._round = None

    def commit(self, write: Write) -> None:
        assert write.emissions or write.remember
        self.writes.append(write)
        self.out += write.emissions
        self._remember(write.remember)

    def set(self, at: int) -> None:
        """As an operator would."""
        assert self.stream.moved is not None
        self._remember(self.stream.moved(self.cursor, at))

    def _remember(self, entries: Mapping[str, Json | None]) -> None:
        for name, known in entries.items():
            if known is None:
                del self.cursor[name]  # what is not there needs no forgetting
            else:
                self.cursor[name] = known
