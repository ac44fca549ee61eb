"""Whatever happens in whatever order: no event twice, and none missed that came in time."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from zlib import crc32

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bridge.core.by_time import position
from bridge.core.polling import Ask, Gap, Page
from tests.core.rounds import MINUTE, NOW, SECOND
from tests.core.trail_world import Api, Happened, Loop

OVERLAP, SKEW, AGE, MOST = MINUTE, 10 * SECOND, 60 * MINUTE, 5
IN_ONE_SECOND = 12
START = NOW - 2 * MINUTE
ORDERS: dict[str, Callable[[Happened], Any]] = {
    "ascending": lambda event: event.time,
    "descending": lambda event: -event.time,
    "arbitrary": lambda event: crc32(str(event.row).encode()),
}


class TrailUnderAnyOrder(RuleBasedStateMachine):
    """Plays the API, the loop, crashes and two clocks, of which ours may be wrong by `SKEW` either way.

    Each event has a number in its details, by which it is known here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = NOW
        self.out: Counter[str] = Counter()
        self.excused: list[tuple[int, int]] = []
        self.in_time: dict[str, int] = {}
        self.seconds: Counter[int] = Counter()

    @initialize(
        page_size=st.integers(1, 5),
        repeats=st.integers(0, 4),
        order=st.sampled_from(sorted(ORDERS)),
        end_too=st.booleans(),
        max_remembered=st.sampled_from((20, 10_000)),
        pace=st.integers(0, 2 * SECOND),
    )
    def begin(
        self, page_size: int, repeats: int, order: str, end_too: bool, max_remembered: int, pace: int
    ) -> None:
        self.pace = pace
        self.api = Api(page_size, ORDERS[order], min(repeats, page_size - 1), end_too)
        self.loop = Loop(
            self.answer,
            start=START,
            overlap=OVERLAP,
            max_window=10 * MINUTE,
            max_age=AGE,
            max_window_events=MOST,
            max_remembered=max_remembered,
        )

    def answer(self, ask: Ask) -> Page:
        self.clock += self.pace
        return self.api.answer(ask, self.clock)

    @rule(
        late=st.integers(0, OVERLAP - SKEW) | st.just(OVERLAP + MINUTE),
        delay=st.integers(0, 20 * SECOND),
        named=st.booleans(),
        dated=st.booleans(),
        count=st.sampled_from((1, 1, 1, IN_ONE_SECOND)),
    )
    def happen(self, late: int, delay: int, named: bool, dated: bool, count: int) -> None:
        visible_at = self.clock + delay
        time = visible_at - late
        if self.seconds[time // SECOND] + count > IN_ONE_SECOND:
            return
        self.seconds[time // SECOND] += count
        for _ in range(count):
            number = str(len(self.api.events))
            unusual = ({} if named else {"id": None}) | ({} if dated else {"time": "once"})
            self.api.add(time, visible_at, details=int(number), **unusual)
            if late <= OVERLAP - SKEW and time >= START:
                self.in_time[number] = time

    @rule(skew=st.integers(-SKEW, SKEW))
    def poll(self, skew: int) -> None:
        assert self.run(self.clock + skew)

    @rule(skew=st.integers(-SKEW, SKEW), steps=st.integers(0, 30))
    def poll_and_die(self, skew: int, steps: int) -> None:
        """The loop dies, or is told of a page that cannot be had, which is the same to the next round."""
        self.run(self.clock + skew, steps)

    @rule(wait=st.integers(0, 3 * MINUTE) | st.integers(0, MINUTE) | st.sampled_from((15 * MINUTE, AGE)))
    def wait(self, wait: int) -> None:
        self.clock += wait

    def run(self, now: int, steps: int = -1) -> bool:
        reached = position(self.loop.cursor)
        oldest = now - now % SECOND - AGE + MINUTE
        if reached is not None and reached - OVERLAP < oldest:
            self.excused.append((reached - OVERLAP, oldest))  # what came late and is too old by now
        ended = self.loop.round(now, steps)
        for write in self.loop.writes:
            self.out.update(emission.doc["details"] for emission in write.emissions if emission.doc)
        for told in self.loop.told:
            self.excused.append((told.begin, told.end) if isinstance(told, Gap) else (0, told.begin))
        return ended

    @invariant()
    def nothing_goes_out_twice(self) -> None:
        assert all(count == 1 for count in self.out.values())

    @invariant()
    def what_is_remembered_is_bounded(self) -> None:
        if hasattr(self, "loop"):
            held = max(self.loop.options.max_remembered, MOST + self.api.page_size)
            assert self.loop.remembered() <= held + IN_ONE_SECOND

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        self.clock += MINUTE
        for _ in range(2):
            assert self.run(self.clock)
        self.nothing_goes_out_twice()
        for number, time in self.in_time.items():
            assert self.out[number] or any(begin <= time < end for begin, end in self.excused), (number, time)


TestTrailUnderAnyOrder = TrailUnderAnyOrder.TestCase
TestTrailUnderAnyOrder.settings = settings(max_examples=200, stateful_step_count=40)
