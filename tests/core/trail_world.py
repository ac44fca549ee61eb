"""Both sides of a trail's rounds: an API with a growing trail, and the loop that carries steps out."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bridge.core.polling import Ask, Emission, Gap, Json, Page, Shortened, Step, Write
from bridge.core.record import Doc
from bridge.core.shape import JSON, MOMENT, TEXT, Object
from bridge.core.stream import Operation
from bridge.core.trail import TrailBounds, poll, position
from bridge.core.trail_window import Trail

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
NOW = 1_767_225_600_000  # 2026-01-01
FORM = Object({"id": TEXT, "time": MOMENT, "details": JSON})
TRAIL = Trail(Operation.GET_AUDIT_EVENTS, "events", FORM, id_field="id", time_field="time")


def bounds(**changed: Any) -> TrailBounds:
    usual: dict[str, Any] = {
        "start": None,
        "lookback": DAY,
        "overlap": 30 * MINUTE,
        "max_window": 30 * DAY,
        "max_age": 180 * DAY,
        "max_window_events": 100,
        "max_remembered": 1_000,
    }
    return TrailBounds(**(usual | changed))


def stamp(time: int) -> str:
    return datetime.fromtimestamp(time / SECOND, UTC).isoformat(timespec="milliseconds")


def instant(text: str) -> int:
    assert text.endswith("Z")
    return round(datetime.fromisoformat(text).timestamp() * SECOND)


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
        usual = {"id": f"e{len(self.events)}", "time": stamp(time)}
        self.events.append(Happened(time, visible_at, usual | row))

    def add_each_second(self, count: int) -> None:
        for number in range(count):
            self.add(NOW - (count - number) * SECOND)

    def answer(self, ask: Ask, clock: int = NOW) -> Page:
        begin, end = instant(ask.parameters["startTime"]), instant(ask.parameters["endTime"])
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


class Loop:
    """Carries out rounds, and holds every step to what it may be."""

    def __init__(self, answer: Callable[[Ask], Page | None], limits: TrailBounds) -> None:
        self.answer = answer
        self.limits = limits
        self.cursor: dict[str, Json] = {}
        self.asks: list[Mapping[str, str]] = []
        self.writes: list[Write] = []
        self.told: list[Gap | Shortened] = []

    def round(self, now: int, steps: int = -1) -> bool:
        """A round, or only as many of its steps; whether it came to its end."""
        self.asks, self.writes, self.told = [], [], []
        running = poll(TRAIL, self.limits, self.cursor, now)
        try:
            step = next(running)
            while steps:
                step = running.send(self.carry_out(step, now))
                steps -= 1
        except StopIteration:
            return True
        running.close()
        return False

    def emitted(self) -> list[Emission]:
        return [emission for write in self.writes for emission in write.emissions]

    def ids(self) -> list[str]:
        return [emission.key for emission in self.emitted()]

    def windows(self) -> list[tuple[int, int]]:
        """Of first pages, in seconds before or after NOW."""
        return [
            ((instant(each["startTime"]) - NOW) // SECOND, (instant(each["endTime"]) - NOW) // SECOND)
            for each in self.asks
            if "page" not in each
        ]

    def remembered(self) -> int:
        return sum(len(b64decode(entry["ids"])) // 16 for entry in self.cursor.values() if "ids" in entry)

    def carry_out(self, step: Step, now: int) -> list[Page | None]:
        match step:
            case Write():
                self.commit(step)
            case Gap() | Shortened():
                self.told.append(step)
            case _:
                assert len(step) == 1
                self.check(step[0].parameters, now)
                self.asks.append(step[0].parameters)
                return [self.answer(step[0])]
        return []

    def commit(self, write: Write) -> None:
        reached = position(self.cursor)
        for name, entry in write.remember.items():
            if entry is None:
                del self.cursor[name]
            else:
                self.cursor[name] = entry
        self.writes.append(write)
        assert reached is None or reached <= (position(self.cursor) or 0)

    def check(self, asked: Mapping[str, str], now: int) -> None:
        begin, end = instant(asked["startTime"]), instant(asked["endTime"])
        assert begin < end <= now
        assert end - begin <= self.limits.max_window
        assert begin >= now - self.limits.max_age
        if "page" in asked:
            assert self.asks[-1].items() - {("page", self.asks[-1].get("page"))} <= asked.items()


def loop(api: Api, **limits: Any) -> Loop:
    return Loop(api.answer, bounds(**limits))


def begun(api: Api, **limits: Any) -> Loop:
    """A loop that has read everything up to NOW."""
    made = loop(api, **limits)
    assert made.round(NOW)
    return made
