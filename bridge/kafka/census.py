"""Counts dead letters without keeping them."""

from collections import Counter
from dataclasses import dataclass, field

from bridge.kafka.contents import Contents
from bridge.kafka.decisions import Status
from bridge.kafka.letters import Letter

MAX_GROUPS = 1000
"""Groups that are counted apart, at most: a broken producer can name any number of apps."""
OTHER_APPS = "(other apps)"


@dataclass(slots=True)
class Group:
    """How many letters wait, and when the first and the last were put aside, in milliseconds since 1970."""

    records: int
    first: int
    last: int


@dataclass(slots=True)
class Census:
    """The letters that wait, by reason and app as the record names it, and how many there are by status."""

    groups: dict[tuple[str, str], Group] = field(default_factory=dict)
    statuses: Counter[Status] = field(default_factory=Counter)

    def count(self, letter: Letter, contents: Contents) -> None:
        """Counts one more."""
        self.statuses[letter.status] += 1
        if letter.status is not Status.WAITING:
            return
        kind = letter.reason, contents.app(letter.message) or ""
        if kind not in self.groups and len(self.groups) >= MAX_GROUPS:
            kind = letter.reason, OTHER_APPS
        group = self.groups.setdefault(kind, Group(0, letter.at, letter.at))
        group.records += 1
        group.first, group.last = min(group.first, letter.at), max(group.last, letter.at)
