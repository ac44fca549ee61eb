"""Things that change until they end: each change that is seen goes out once, in order, numbered.

They are listed by the time they began or ended, the API does not say which. So those that still run are
remembered, and looked at one by one until they end. Those that ended are remembered as long as a list may
show them again, or they would pass for new.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence, Set

from bridge.core.by_time import HEAD, SECOND, Bounds, head_at, head_of, is_head
from bridge.core.entries import check, chunks, digest, entries, entry
from bridge.core.looking import ASKS_AT_ONCE, RECORDS_AT_ONCE, Looking, Questions
from bridge.core.polling import Ask, Cursor, Page, Round, RoundFailed, Step, Write
from bridge.core.record import Doc
from bridge.core.sighting import END, Kind, Sighting, ids_of, name_of

# What ended is remembered that much longer than a list should show it: times in a list may be rounded, and an
# end that the API does not tell is taken for the begin of the round that saw it.
MARGIN_MS = 3600 * SECOND


def poll(
    kind: Kind, questions: Questions, bounds: Bounds, ended: Set[str], cursor: Cursor, now_ms: int
) -> Round:
    """One round: the lists from where the cursor stands up to now, then all that runs and was not in them.

    `ended` are the statuses, in lower case, of what has come to its end.

    Raises:
        RoundFailed: an answer is not as described, or the cursor stands in the future.
        BridgeError: a newer version or something else wrote the cursor.
    """
    check(cursor, {HEAD: is_head, f"{questions.item}/": kind.is_entry})
    yield from _Reading(kind, questions, bounds, ended, cursor, now_ms - now_ms % SECOND).round()


class _Reading:
    """One round. What it writes is in the cursor by the next step."""

    def __init__(
        self, kind: Kind, questions: Questions, bounds: Bounds, ended: Set[str], cursor: Cursor, now_ms: int
    ) -> None:
        self._kind = kind
        self._questions = questions
        self._bounds = bounds
        self._cursor = cursor
        self._now = now_ms
        self._prefix = f"{questions.item}/"
        self._look = Looking(kind, questions, ended, self._prefix, now_ms)
        self._endless: set[str] = set()  # what the lists of this window show without an end

    def round(self) -> Round:
        head = head_of(self._cursor, self._bounds, self._now)
        if head is None:
            return
        if HEAD not in self._cursor:
            yield Write((), {HEAD: head})  # where it begins stays, however often the round fails
        groups = yield from self._groups()
        begin, longest = max(head["position"] - self._bounds.overlap, head["floor"]), self._bounds.max_window
        for at in range(begin, self._now, longest):
            window = at, min(at + longest, self._now)
            rows = yield from self._read(window, groups)
            yield from self._move(window, rows)
        yield from self._look.at(list(self._running(groups)))

    def _groups(self) -> Generator[Step, Sequence[Page | None], dict[str, Doc]]:
        """What records of a group's items say of the group, by its id."""
        [page] = yield [Ask(self._questions.groups)]
        if page is None:
            raise RoundFailed("not_as_described", f"{self._questions.groups}: the API has no such list (404)")
        wanted = {self._kind.group, *self._questions.about}
        rows = [{name: row[name] for name in wanted & row.keys()} for row in page.rows]
        return {row[self._kind.group]: self._kind.form.read(row) for row in rows}

    def _read(
        self, window: tuple[int, int], groups: Mapping[str, Doc]
    ) -> Generator[Step, Sequence[Page | None], int]:
        """One window of all groups' lists, some groups at a time; how many rows they had."""
        rows = 0
        self._endless.clear()
        for wave in chunks(list(groups), ASKS_AT_ONCE):
            pages = yield [self._questions.list(group, *window) for group in wave]
            news: list[Sighting] = []
            for group, page in zip(wave, pages, strict=True):
                if page is None:  # no description has this answer, and it must not pass for an empty list
                    told = f"{self._questions.items}: not there (404), though what they belong to is listed"
                    raise RoundFailed(
                        "not_as_described", f"{told}; if that was just deleted, the next round goes on"
                    )
                rows += len(page.rows)
                news += self._news(groups[group], page)
            yield from self._look.at(news, window)
        return rows

    def _news(self, about: Doc, page: Page) -> Iterator[Sighting]:
        """The items of a page to look at: those new or changed in the list, and those that run."""
        for row in {row[self._kind.item]: row for row in page.rows}.values():
            name = name_of(about[self._kind.group], row[self._kind.item])
            known = entry(self._cursor, self._prefix + name)
            listed = self._kind.listed(about, row)
            if END not in listed:
                self._endless.add(name)
            if (
                known is None
                or known["summary"] != digest(listed).hex()
                or (known["open"] and name not in self._look.running)
            ):
                yield Sighting(name, known, listed, current=True)

    def _running(self, groups: Mapping[str, Doc]) -> Iterator[Sighting]:
        """All that runs and was not looked at yet, however long ago it began, and if its group is gone."""
        for name, known in sorted(entries(self._cursor, self._prefix).items()):
            if known["open"] and name not in self._look.running:
                about = groups.get(ids_of(name)[0], {})
                yield Sighting(name, known, {**known["listed"], **about}, current=False)

    def _move(self, window: tuple[int, int], rows: int) -> Round:
        """Moves past a window, and then forgets what no list will be asked for any more.

        Not before: as long as the old head stands, lists are read from the old floor. And not what was shown
        just now without an end, though it has one by its status: the next list may show it likewise.
        """
        old = self._cursor[HEAD]
        place = max(old["position"], window[1])
        floor = max(old["floor"], place - self._bounds.overlap)
        yield Write((), {HEAD: head_at(place, floor)}, window, rows)
        known = entries(self._cursor, self._prefix).items()
        ended = [
            (name, each["until"]) for name, each in known if not each["open"] and name not in self._endless
        ]
        past = [name for name, until in ended if until < floor - MARGIN_MS]
        for part in chunks(past, RECORDS_AT_ONCE):
            yield Write((), {self._prefix + name: None for name in part})
