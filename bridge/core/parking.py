"""Which apps are parked: their records go to the parking topic instead of the API, until that is delivered.

No input or output: answers, what was parked and how far the parking topic is delivered come in; who is to be
parked, whose records may be written there now and who is done comes out. Times are in monotonic seconds.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

NEAR_SECONDS = 10.0
"""An app is near its return once all that was parked longer ago than this is delivered. Its new records then
wait for as long at most: under steady traffic the parking topic would else never be empty of them."""

_MARK_SECONDS = 1.0

Places = Mapping[int, int]
"""Offsets of the parking topic by partition."""


@dataclass(slots=True)
class _App:
    """`last` is the last offset parked, by partition of the parking topic, `long_ago` the last one then."""

    last: dict[int, int] = field(default_factory=dict)
    long_ago: dict[int, int] = field(default_factory=dict)
    recent: deque[tuple[float, dict[int, int]]] = field(default_factory=deque)
    writing: int = 0
    waiting_since: float | None = None  # its records wait to go straight again


class Parking:
    """The parked apps of one process.

    `after` is how many seconds an app must have failed, alone; None: no app is ever parked.
    """

    def __init__(self, after: float | None) -> None:
        self._after = after
        self._apps: dict[str, _App] = {}
        # The last two apps whose latest answer was good, and when: one of them is another than any given.
        self._well: list[tuple[str, float]] = []

    @property
    def apps(self) -> list[str]:
        """The apps that are parked."""
        return list(self._apps)

    @property
    def partitions(self) -> set[int]:
        """The partitions of the parking topic with records of theirs."""
        return {partition for parked in self._apps.values() for partition in parked.last}

    def answered(self, app: str, now: float) -> None:
        """Notes that the API does its work for an app."""
        self._well = [*(each for each in self._well if each[0] != app), (app, now)][-2:]

    def failed(self, app: str, since: float, now: float, full: bool) -> bool:
        """Notes a failure of an app without a good answer `since`; says whether it is to be parked now.

        That takes good answers to another app meanwhile: where none comes the API is down, and its records
        are lag. With the sink `full` of records that wait nobody else can get one, so those of before count.
        """
        self._well = [each for each in self._well if each[0] != app]
        if self._after is None or app in self._apps or not self._well or now - since < self._after:
            return False
        well = self._well[-1][1]
        return now - well <= self._after / 2 or (full and well > since)

    def park(self, app: str, last: Places | None = None) -> None:
        """An app is parked from here on, or an earlier owner of a partition parked it up to `last`."""
        parked = self._apps.setdefault(app, _App())
        parked.last.update(last or {})
        parked.long_ago.update(last or {})
        parked.waiting_since = None

    def open(self, app: str) -> bool:
        """Whether records of a parked app may be written to the parking topic now."""
        return self._apps[app].waiting_since is None

    def writing(self, app: str) -> None:
        """Notes that some are being written."""
        self._apps[app].writing += 1

    def written(self, app: str, last: Places, now: float) -> None:
        """Notes that these are there, and the offset of the last one by partition of the parking topic."""
        parked = self._apps[app]
        parked.writing -= 1
        if not parked.last:
            parked.long_ago.update(last)  # nothing says that it is near its return before these are delivered
        parked.last.update(last)
        if not parked.recent or now - parked.recent[-1][0] >= _MARK_SECONDS:
            parked.recent.append((now, {}))
        parked.recent[-1][1].update(last)

    def delivered(self, committed: Places, now: float) -> list[str]:
        """Takes what the parking topic's group has committed; returns the apps that have nothing left there.

        Nothing more is written for these, until `back` or until they are parked anew.
        """
        return [app for app, parked in self._apps.items() if _done(parked, committed, now)]

    def back(self, app: str) -> bool:
        """Ends the parking of an app that `delivered` named, unless it was parked anew; says if it did."""
        if self.open(app):
            return False
        del self._apps[app]
        return True

    def make_room(self) -> None:
        """Lets those that wait for their return be written after all: the sink is full of them."""
        for parked in self._apps.values():
            parked.waiting_since = None


def _done(parked: _App, committed: Places, now: float) -> bool:
    while parked.recent and now - parked.recent[0][0] >= NEAR_SECONDS:
        parked.long_ago.update(parked.recent.popleft()[1])
    if not parked.long_ago or not _passed(parked.long_ago, committed):
        parked.waiting_since = None
        return False
    if parked.waiting_since is None:
        parked.waiting_since = now
    done = not parked.writing and _passed(parked.last, committed)
    if not done and now - parked.waiting_since >= NEAR_SECONDS:
        # In vain: it fails again. The next try is when all of it is delivered.
        parked.long_ago.update(parked.last)
        parked.waiting_since = None
    return done


def _passed(last: Places, committed: Places) -> bool:
    return all(committed.get(partition, 0) > offset for partition, offset in last.items())
