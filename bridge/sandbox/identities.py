"""A set of event identities that stays small with millions of them."""

from array import array
from collections.abc import Iterable

_SHARD_BITS = 8
_SHARDS = 1 << _SHARD_BITS
_LAST_SHARD = _SHARDS - 1


class Identities:
    """Which keys have been seen, 8 bytes for each in hash tables at most two thirds full.

    Keys are told apart by Python's 64-bit SipHash of the text. Two of five million different keys share one
    with a probability of n^2 / 2^65 = 7 in ten million, so the count is exact for every practical purpose.
    256 shards grow one by one, which spreads the cost of growing over many batches instead of one pause. They
    begin with `start_slots` each, a power of two; growing costs more than noting a key, so begin large where
    many are expected.

    At most `limit` keys are remembered; after that `exact` is False and a key not yet seen counts as new each
    time it comes.
    """

    def __init__(self, limit: int, start_slots: int = 64) -> None:
        self._limit = limit
        self._tables = [array("q", bytes(8 * start_slots)) for _ in range(_SHARDS)]
        self._used = [0] * _SHARDS
        self._count = 0
        self.exact = True

    def __len__(self) -> int:
        return self._count

    def bytes_held(self) -> int:
        """Memory of the tables."""
        return sum(8 * len(table) for table in self._tables)

    def add_all(self, keys: Iterable[str]) -> int:
        """Notes the keys and returns how many of them were new."""
        tables, used = self._tables, self._used
        room = self._limit - self._count
        new = 0
        for key in keys:
            mark = hash(key) or 1  # 0 means an empty slot
            shard = mark & _LAST_SHARD
            table = tables[shard]
            last = len(table) - 1
            slot = (mark >> _SHARD_BITS) & last
            while (seen := table[slot]) and seen != mark:
                slot = (slot + 1) & last
            if not seen:
                new += 1
                if new <= room:
                    table[slot] = mark
                    used[shard] += 1
                    if 3 * used[shard] > 2 * last:
                        tables[shard] = _doubled(table)
        self._count += min(new, room)
        self.exact = self.exact and new <= room
        return new


def _doubled(table: "array[int]") -> "array[int]":
    larger = array("q", bytes(16 * len(table)))
    last = len(larger) - 1
    for mark in table:
        if mark:
            slot = (mark >> _SHARD_BITS) & last
            while larger[slot]:
                slot = (slot + 1) & last
            larger[slot] = mark
    return larger
