"""A million events need no more memory than a few pages."""

import gc
from bisect import bisect_left
from functools import lru_cache

from bridge.core.polling import Ask, Emission, Page, Write
from tests.core.rounds import DAY, HOUR, NOW, SECOND, ms, text
from tests.core.trail_world import Loop

PAGE, MOST, REMEMBERED = 500, 2_000, 50_000
# Few on most days, many in four hours, and 30,000 in one second.
QUIET, BUSY, AT_ONCE = 100_000, 870_000, 30_000
TIMES = [
    *(NOW - 29 * DAY + number * 27 * DAY // QUIET for number in range(QUIET)),
    *(NOW - DAY + number * 4 * HOUR // BUSY // SECOND * SECOND for number in range(BUSY)),
    *[NOW - HOUR] * AT_ONCE,
]
written = lru_cache(text)


def answer(ask: Ask) -> Page:
    begin, end = (bisect_left(TIMES, ms(ask.parameters[side])) for side in ("startTime", "endTime"))
    first = begin + int(ask.parameters.get("page", 0))
    last = min(first + PAGE, end)
    rows = [{"id": str(number), "time": written(TIMES[number])} for number in range(first, last)]
    return Page(rows, str(last - begin) if last < end else None)


class Sums(Loop):
    """Keeps no record of what went out but a count of each."""

    def __init__(self) -> None:
        super().__init__(answer, start=TIMES[0], max_window_events=MOST, max_remembered=REMEMBERED)
        self.times_out = bytearray(len(TIMES))

    def commit(self, write: Write) -> None:
        super().commit(write)
        self.writes[-1] = Write((), {})
        self.out.clear()
        for emission in write.emissions:
            self.times_out[int(emission.key)] += 1
        assert len(write.emissions) < MOST + PAGE
        if len(self.writes) % 100 == 0:
            assert sum(type(each) is Emission for each in gc.get_objects()) < 2 * (MOST + PAGE)
            assert self.remembered() <= REMEMBERED


def test_a_million_events_need_no_more_memory_than_a_few_pages() -> None:
    sums = Sums()
    assert sums.round(NOW)
    assert sums.times_out == b"\1" * len(TIMES)
    assert len(sums.asked) < 1.5 * len(TIMES) / PAGE
