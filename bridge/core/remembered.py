"""What went out already, as far as it may be met again: digests of identities, in entries of a cursor."""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import NamedTuple

from bridge.core.entries import FORMAT, entries, is_moment, is_packed
from bridge.core.polling import Cursor, Json

ENTRY = "seen/"
"""Begins the names of entries, behind which stands a number."""

BYTES = 16
"""Of a digest. What has the digest of something else is taken for it, and lost. By chance, 8 bytes would do:
with 200,000 remembered, 1 in 10^14 for each new one. But where there is no id the whole event is its
identity, and parts of that are up to people: 200,000 targets of 8 bytes are hit by 2^46 tries, which is an
afternoon's work for whoever wants an event to vanish; with 16 bytes it takes 2^110."""


class _Entry(NamedTuple):
    until: int
    digests: tuple[bytes, ...]


class Remembered:
    """All digests of a cursor, some 90 bytes of memory each.

    An entry is written once and forgotten as a whole; its `until` is the time of its newest event, in
    milliseconds since 1970.

    Raises:
        BridgeError: a newer version wrote one.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._entries = {name: _read(entry) for name, entry in entries(cursor, ENTRY).items()}
        self._digests = {each for entry in self._entries.values() for each in entry.digests}

    def __contains__(self, each: bytes) -> bool:
        return each in self._digests

    def __len__(self) -> int:
        return len(self._digests)

    def add(self, until: int, digests: Iterable[bytes]) -> dict[str, Json]:
        """Remembers what is new; returns the entry to be written, by its name."""
        number, entry = max(map(_number, self._entries), default=0) + 1, _Entry(until, tuple(digests))
        self._entries[str(number)] = entry
        self._digests.update(entry.digests)
        text = b64encode(b"".join(entry.digests)).decode()
        return {f"{ENTRY}{number}": {"format": FORMAT, "until": until, "ids": text}}

    def forget(self, before: int) -> dict[str, None]:
        """Forgets entries that end before a time; returns their names, to be written as gone."""
        gone = [name for name, entry in self._entries.items() if entry.until < before]
        for name in gone:
            self._digests.difference_update(self._entries.pop(name).digests)
        return {ENTRY + name: None for name in gone}

    def excess(self, most: int, before: int) -> int | None:
        """The newest `until` among the oldest entries without which at most `most` digests are left.

        Only entries that end before a time count, so more may be left; None: there is nothing to forget.
        """
        left, newest = len(self), None
        for entry in sorted(self._entries.values()):
            if left <= most or entry.until >= before:
                break
            left, newest = left - len(entry.digests), entry.until
        return newest


def is_entry(entry: Json) -> bool:
    """Whether it holds digests."""
    return is_moment(entry.get("until")) and is_packed(entry.get("ids"))


def _number(name: str) -> int:
    """The number that names an entry; 0 for a name that is none of ours."""
    return int(name) if name.isdecimal() and len(name) < 19 else 0


def _read(entry: Json) -> _Entry:
    packed = b64decode(entry["ids"])
    places = range(0, len(packed), BYTES)
    return _Entry(entry["until"], tuple(packed[place : place + BYTES] for place in places))
