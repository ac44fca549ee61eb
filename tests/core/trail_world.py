"""An API with a growing trail, and a loop that carries out rounds of reading it."""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.core import trail
from bridge.core.by_time import Bounds, position
from bridge.core.polling import Ask, Cursor, Page, Round, SourceStream, Write
from bridge.core.record import Doc
from bridge.core.shape import JSON, MOMENT, TEXT, Object
from bridge.core.stream import Operation
from bridge.core.trail_window import Trail
from tests.core.rounds import DAY, MINUTE, NOW, SECOND, Answer, Player, ms, text

FORM = Object({"id": TEXT, "time": MOMENT, "details": JSON})
TRAIL = Trail(Operation.GET_AUDIT_EVENTS, "events", FORM, id_field="id", time_field="time")


@dataclass
class Options:
    """All that bounds a trail, as `Bounds` and `Limits` have it."""

    start: int | None = None
    lookback: int = DAY
    overlap: int = 30 * MINUTE
    max_window: int = 30 * DAY
    max_age: int = 180 * DAY
    max_window_events: int = 100
    max_remembered: int = 1_000


def poll(options: Options, cursor: Cursor, now: int) -> Round:
    bounds = Bounds(options.start, options.lookback, options.overlap, options.max_window)
    limits = trail.Limits(options.max_age, options.max_window_events, options.max_remembered)
    return trail.poll(TRAIL, bounds, limits, cursor, now)


STREAM = SourceStream(
    "events", Operation.GET_AUDIT_EVENTS, {"events": FORM}, Options, poll, 60.0, position, trail.moved
)


@dataclass(frozen=True)
class Happened:
    """An event; its row says whatever it likes, and it is found by `time` from `visible_at` on."""

    time: int
    visible_at: int
    row: Doc


@dataclass
class Api:
    """Answers from what can be seen now, in pages by number of rows, the last `repeats` of each on the next.

    What shows up between two pages moves the rest, as it does in many an API.
    """

    page_size: int = 3
    order: Callable[[Happened], Any] = lambda event: event.time
    repeats: int = 0
    end_too: bool = False  # windows are said to be half-open
    events: list[Happened] = field(default_factory=list)

    def add(self, time: int, visible_at: int = 0, /, **row: Any) -> None:
        usual = {"id": f"e{len(self.events)}", "time": text(time)}
        self.events.append(Happened(time, visible_at, usual | row))

    def add_each_second(self, count: int) -> None:
        for number in range(count):
            self.add(NOW - (count - number) * SECOND)

    def answer(self, ask: Ask, clock: int = NOW) -> Page:
        begin, end = ms(ask.parameters["startTime"]), ms(ask.parameters["endTime"])
        found = [
            event
            for event in self.events
            if begin <= event.time < end + self.end_too and event.visible_at <= clock
        ]
        rows = [event.row for event in sorted(found, key=self.order)]
        start = int(ask.parameters.get("page", 0))
        more = start + self.page_size < len(rows)
        return Page(
            rows[start:][: self.page_size], str(start + self.page_size - self.repeats) if more else None
        )


class Loop(Player):
    """A trail's rounds, each step of which is held to what it may be."""

    def __init__(self, answer: Answer, **options: Any) -> None:
        super().__init__(STREAM, answer, **options)
        self.now = NOW

    def round(self, now: int, steps: int = -1) -> bool:
        """A round, or only as many of its steps; whether it came to its end."""
        self.now, self.out = now, []
        self.begin(now)
        while steps:
            if not self.step():
                return True
            steps -= 1
        self.crash()
        return False

    def ids(self) -> list[str]:
        return [emission.key for emission in self.out]

    def parameters(self) -> list[Mapping[str, str]]:
        return [ask.parameters for ask in self.asked]

    def windows(self) -> list[tuple[int, int]]:
        """Of first pages, in seconds before or after NOW."""
        return [
            ((ms(each["startTime"]) - NOW) // SECOND, (ms(each["endTime"]) - NOW) // SECOND)
            for each in self.parameters()
            if "page" not in each
        ]

    def remembered(self) -> int:
        return sum(len(b64decode(entry["ids"])) // 16 for entry in self.cursor.values() if "ids" in entry)

    def commit(self, write: Write) -> None:
        reached = position(self.cursor)
        super().commit(write)
        assert reached is None or reached <= (position(self.cursor) or 0)

    def ask(self, asks: Sequence[Ask]) -> Sequence[Page | None]:
        assert len(asks) == 1
        parameters, before = asks[0].parameters, self.asked[-1:]
        begin, end = ms(parameters["startTime"]), ms(parameters["endTime"])
        assert begin < end <= self.now
        assert end - begin <= self.options.max_window
        assert begin >= self.now - self.options.max_age
        if "page" in parameters:
            assert {**parameters, "page": ""} == {**before[0].parameters, "page": ""}
        return super().ask(asks)


def begun(api: Api, **options: Any) -> Loop:
    """A loop that has read everything up to NOW."""
    made = Loop(api.answer, **options)
    assert made.round(NOW)
    return made
