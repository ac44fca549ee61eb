"""Where records come from, and large sets of such places in little memory."""

from typing import NamedTuple

_BITS = 8  # of an offset, so that 256 neighbours share a block
# Neighbours that arrived within some 4 s do. The time tells records of a topic that was deleted and made anew
# from those that had their offsets before.
_MILLISECOND_BITS = 12


class Origin(NamedTuple):
    """The place of a record on its stream's topic, and its Kafka timestamp in milliseconds since 1970."""

    partition: int
    offset: int
    timestamp: int


class OriginSet:
    """A set of origins of one topic. Neighbours take less than a byte each, a lonely one some 150 bytes."""

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}

    def add(self, origin: Origin) -> bool:
        """Puts it in; returns whether it is new."""
        block, bit = _place(origin)
        held = self._blocks.get(block, 0)
        self._blocks[block] = held | bit
        return not held & bit

    def __contains__(self, origin: Origin) -> bool:
        block, bit = _place(origin)
        return bool(self._blocks.get(block, 0) & bit)


def _place(origin: Origin) -> tuple[int, int]:
    """The number of its block, and its bit there."""
    block = origin.timestamp >> _MILLISECOND_BITS << 96 | origin.partition << 64 | origin.offset >> _BITS
    return block, 1 << (origin.offset & (1 << _BITS) - 1)
