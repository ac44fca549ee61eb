"""Gathers records into one open batch per lane and closes it by count, bytes or age."""

from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import accumulate, islice, takewhile
from operator import itemgetter
from typing import Any, NamedTuple

from bridge.core.books import Books
from bridge.core.offsets import Hold, Offsets
from bridge.core.record import Decoded, Deletion, Doc, Origin
from bridge.core.stream import LaneBy, Operation, SinkStream

FULLEST_SHARE = 16  # of the open batches are looked for at once, as that takes time

Lane = str | tuple[str, int]
"""What is batched together: the app, or the app and the partition, as the stream declares."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When an open batch closes: records, bytes on the topic, seconds counted from its first record."""

    max_records: int
    max_bytes: int
    max_age: float


@dataclass(slots=True, eq=False)
class Batch:
    """Records that share one API call. `origins` and `docs` are columns of equal length.

    `opened` is the monotonic second of the first record; `attempts` counts the requests sent with it; `id` is
    made from topic, partitions and offsets, so the same records carry the same one, also after a restart.
    """

    app: str
    lane: Lane
    operation: Operation
    opened: float
    origins: list[Origin] = field(default_factory=list)
    docs: list[Doc] = field(default_factory=list)
    bytes: int = 0
    hold: Hold = field(default_factory=Hold)
    attempts: int = 0
    id: str = ""

    def __len__(self) -> int:
        return len(self.docs)

    @property
    def partition(self) -> int:
        """The partition of its records, where the lane is of one partition."""
        return self.origins[0].partition() or 0

    def seal(self, topic: str) -> None:
        """Names the batch after its records, so that the same records sent again carry the same name."""
        digest = blake2b(topic.encode(), digest_size=16)
        digest.update(array("q", [origin.partition() or 0 for origin in self.origins]))
        digest.update(array("q", [origin.offset() or 0 for origin in self.origins]))
        self.id = digest.hexdigest()

    def keep(self, indices: Sequence[int]) -> None:
        """Keeps only the records at these positions, and their share of the bytes."""
        self.bytes = self.bytes * len(indices) // max(len(self.docs), 1)
        self.origins = [self.origins[index] for index in indices]
        self.docs = [self.docs[index] for index in indices]

    def parted(self, offsets: Offsets, *groups: Sequence[int]) -> list["Batch"]:
        """The batch as several, each with the records at these positions; it is of no use afterwards."""
        parts = []
        for group in groups:
            part = replace(self)
            part.keep(group)
            parts.append(part)
        for part, hold in zip(parts, offsets.split(self.hold, *(p.origins for p in parts)), strict=True):
            part.hold = hold
        return parts


class _Part(NamedTuple):
    """Records of one lane, as columns of equal length."""

    origins: list[Origin]
    docs: list[Doc]
    sizes: list[int]


class Batcher:
    """The open batches, at most one per lane."""

    def __init__(
        self, limits: BatchLimits, stream: SinkStream, topic: str, offsets: Offsets, books: Books
    ) -> None:
        self._limits = limits
        self._stream = stream
        self._identity = itemgetter(*stream.identity) if stream.identity else None
        self._topic = topic
        self._offsets = offsets
        self._books = books
        self._open: dict[Lane, Batch] = {}  # oldest first: a batch enters when it is opened
        self.records = 0
        """Records in open batches."""
        self.bytes = 0
        """Bytes of these records."""

    @property
    def batches(self) -> Collection[Batch]:
        """The open batches."""
        return self._open.values()

    def add(self, decoded: Decoded, now: float) -> list[Batch]:
        """Puts records into their lanes' open batches. Returns the batches that this closed."""
        parts = _by_lane(lanes_of(self._stream, decoded), decoded)
        return [batch for lane, part in parts for batch in self._fill(lane, part, now)]

    def close_aged(self, now: float) -> list[Batch]:
        """Closes and returns the batches whose first record has waited for the age limit."""
        aged = []
        for batch in self._open.values():
            if batch.opened + self._limits.max_age > now:
                break
            aged.append(batch)
        return [closed for batch in aged for closed in self._close(batch)]

    def close_fullest(self, may_go: Callable[[Lane], bool]) -> list[Batch]:
        """Closes and returns those with the most records, a share of the open batches that may go."""
        fullest = sorted(self._open.values(), key=len, reverse=True)
        going = islice((batch for batch in fullest if may_go(batch.lane)), -(-len(fullest) // FULLEST_SHARE))
        return [closed for batch in list(going) for closed in self._close(batch)]

    def close_all(self) -> list[Batch]:
        """Closes and returns every open batch, however young."""
        return [closed for batch in list(self._open.values()) for closed in self._close(batch)]

    def next_close(self) -> float | None:
        """The monotonic second at which the oldest open batch reaches the age limit; None without one."""
        oldest = next(iter(self._open.values()), None)
        return None if oldest is None else oldest.opened + self._limits.max_age

    def _fill(self, lane: Lane, part: _Part, now: float) -> list[Batch]:
        """Puts records of one lane into its open batch, and into new ones where that is full."""
        closed: list[Batch] = []
        begin, after = 0, len(part.docs)
        while begin < after:
            batch = self._open.get(lane)
            if batch is None:
                batch = self._open[lane] = Batch(app_of(lane), lane, self._stream.operation, now)
            sizes = part.sizes[begin : begin + self._limits.max_records - len(batch)]
            size = sum(sizes)
            if size > (left := self._limits.max_bytes - batch.bytes):  # hardly ever
                fitting = sum(1 for _ in takewhile(lambda total: total <= left, accumulate(sizes)))
                sizes = sizes[: fitting or not len(batch)]  # one that is larger than any batch has its own
                size = sum(sizes)
            end = begin + len(sizes)
            batch.origins += part.origins[begin:end]
            batch.docs += part.docs[begin:end]
            batch.bytes += size
            self.records += len(sizes)
            self.bytes += size
            self._offsets.add(batch.hold, part.origins[begin:end])
            if end < after or len(batch) >= self._limits.max_records:
                closed += self._close(batch)
            begin = end
        return closed

    def _close(self, batch: Batch) -> list[Batch]:
        del self._open[batch.lane]
        self.records -= len(batch)
        self.bytes -= batch.bytes
        self._drop_repeats(batch)
        batches = self._by_operation(batch) if self._stream.deletions else [batch]
        for each in batches:
            each.seal(self._topic)
        return batches

    def _by_operation(self, batch: Batch) -> list[Batch]:
        """Parts what is to be deleted from the rest. No record is in both, so either may go first."""
        assert self._stream.deletions is not None  # noqa: S101
        gone = [index for index, doc in enumerate(batch.docs) if isinstance(doc, Deletion)]
        there = [index for index, doc in enumerate(batch.docs) if not isinstance(doc, Deletion)]
        parts = batch.parted(self._offsets, there, gone)
        parts[1].operation = self._stream.deletions.operation
        return [part for part in parts if len(part)]

    def _drop_repeats(self, batch: Batch) -> None:
        """Sends identical records once. The repeats settle at once: the one kept stands for them all."""
        if self._identity is None:
            return
        # Mostly one field tells them all apart, in a fifth of the time.
        if len({doc[self._stream.identity[0]] for doc in batch.docs}) == len(batch):
            return
        identities = list(map(self._identity, batch.docs))
        if len(set(identities)) == len(identities):
            return
        ordered = (
            list(enumerate(identities)) if self._stream.ordered else reversed(list(enumerate(identities)))
        )
        kept = {identity: index for index, identity in ordered}
        before = batch.hold.count
        batch.keep(sorted(kept.values()))
        [batch.hold] = self._offsets.split(batch.hold, batch.origins)
        self._books.superseded += before - batch.hold.count


def lanes_of(stream: SinkStream, decoded: Decoded) -> Sequence[Lane]:
    """The lane of each record."""
    if stream.lane is LaneBy.APP:
        return decoded.apps
    return [(app, origin.partition() or 0) for app, origin in zip(decoded.apps, decoded.origins, strict=True)]


def app_of(lane: Lane) -> str:
    """The app whose records a lane has."""
    return lane if isinstance(lane, str) else lane[0]


def _by_lane(lanes: Sequence[Lane], decoded: Decoded) -> Iterable[tuple[Lane, _Part]]:
    """The records of each lane, in the order received."""
    columns: Any = (decoded.origins, decoded.docs, decoded.sizes)
    if lanes and lanes.count(lanes[0]) == len(lanes):
        return [(lanes[0], _Part(*columns))]
    places: dict[Lane, list[int]] = {}
    for place, lane in enumerate(lanes):
        places.setdefault(lane, []).append(place)
    return (
        (lane, _Part(*([column[place] for place in chosen] for column in columns)))
        for lane, chosen in places.items()
    )
