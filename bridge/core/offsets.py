"""The ledger of offsets: what was received, what is outstanding, and how far it is safe to commit.

Nothing is kept per record. Records are settled in groups (a batch, a set of dead letters), so it is enough to
remember, for each group and partition, the first offset and how many: as a group settles as one, the lowest
unsettled offset of a partition is the lowest first offset among its groups. Offsets may have holes.

Groups can be tied: each settles for itself, but no offset of any is passed before all are settled.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import lt

from bridge.core.record import Origin


@dataclass(slots=True)
class _Part:
    first: int
    count: int
    since: float | None  # the Kafka timestamp of the first, in seconds since 1970


@dataclass(slots=True, eq=False)
class Hold:
    """A group of outstanding records that settle together; it holds back the commit of their partitions."""

    parts: dict[int, _Part] = field(default_factory=dict)
    tie: "_Tie | None" = None

    @property
    def count(self) -> int:
        """How many records of partitions that are still ours it stands for."""
        return sum(part.count for part in self.parts.values())


@dataclass(slots=True)
class _Tie:
    """Groups whose offsets are passed together: `hold` stands before them and for no record."""

    hold: Hold
    left: int  # records not settled yet; those given up with a partition stay in it for ever


@dataclass(slots=True)
class _Partition:
    position: int | None = None  # the offset after the last record received, or of the first one read
    committed: int | None = None
    began: int | None = None  # the first offset that was read
    read: int = 0  # the offset after the highest that was read
    holds: set[Hold] = field(default_factory=set)
    read_until: float | None = None  # the Kafka timestamp of the last record read
    caught_up: float | None = None  # when nothing was left to be read

    def fresh(self, origins: Sequence[Origin], offsets: Sequence[int]) -> Iterable[Origin]:
        """Those of this partition's records that were not read before, with their offsets; never empty."""
        if self.began is None:
            self.began = offsets[0]
        if offsets[0] >= self.read and all(map(lt, offsets, offsets[1:])):  # as nearly always
            self.read = offsets[-1] + 1
            return origins
        fresh = []
        for origin, offset in zip(origins, offsets, strict=True):
            if offset >= self.read or offset < self.began:
                self.read = max(self.read, offset + 1)
                fresh.append(origin)
        return fresh


class Offsets:
    """The ledger for one consumer. `outstanding` counts records received and not yet settled."""

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}
        self.outstanding = 0

    def assign(self, partitions: Iterable[int]) -> None:
        """Starts with partitions that became ours; what is known of one that was ours already is kept."""
        for partition in partitions:
            self._partitions.setdefault(partition, _Partition())

    def owns(self, partition: int) -> bool:
        """Whether the partition is ours; a record of any other is the next owner's to deliver."""
        return partition in self._partitions

    @property
    def partitions(self) -> set[int]:
        """The partitions that are ours."""
        return set(self._partitions)

    def fresh(self, origins: Sequence[Origin]) -> list[Origin]:
        """Of what was read, the records of partitions that are ours, each of them once.

        While a group shares its partitions anew, librdkafka may read those that stay ours again from where it
        last noted a position: what is outstanding or settled already would go out a second time.
        """
        fresh: list[Origin] = []
        offsets = [origin.offset() or 0 for origin in origins]
        for partition, begin, end in _runs(origins):
            if (state := self._partitions.get(partition)) is not None:
                fresh += state.fresh(origins[begin:end], offsets[begin:end])
        return fresh

    def revoke(self, partitions: Iterable[int]) -> int:
        """Gives partitions up. Returns how many of their records were outstanding, for the next owner."""
        handed_over = 0
        for partition in partitions:
            state = self._partitions.pop(partition, None)
            if state is not None:
                handed_over += sum(hold.parts.pop(partition).count for hold in state.holds)
        self.outstanding -= handed_over
        return handed_over

    def begin(self, origins: Iterable[Origin]) -> None:
        """Notes where reading begins, by records that were read and not received yet."""
        for origin in origins:
            partition, offset = origin.partition() or 0, origin.offset() or 0
            state = self._partitions[partition]
            state.position = offset if state.position is None else min(offset, state.position)
            state.read_until = _seconds(origin)

    def add(self, hold: Hold, origins: Sequence[Origin]) -> None:
        """Puts records, each of a partition that is ours and in order of offset there, under a hold."""
        for partition, begin, end in _runs(origins):
            self._extend(hold, partition, origins[begin], origins[end - 1], end - begin)
        self.outstanding += len(origins)

    def _extend(self, hold: Hold, partition: int, first: Origin, last: Origin, count: int) -> None:
        part, state = hold.parts.get(partition), self._partitions[partition]
        if part is None:
            hold.parts[partition] = _Part(first.offset() or 0, count, _seconds(first))
            state.holds.add(hold)
        else:
            part.count += count
        after = (last.offset() or 0) + 1
        if after > (state.position or 0):
            state.position, state.read_until = after, _seconds(last)

    def settle(self, hold: Hold) -> int:
        """Settles a whole group. Returns how many of its records were still ours."""
        settled = hold.count
        for partition in hold.parts:
            self._partitions[partition].holds.discard(hold)
        hold.parts = {}
        self.outstanding -= settled
        if hold.tie is not None:
            self._loosen(hold.tie, settled)
        return settled

    def tie(self, holds: Sequence[Hold]) -> None:
        """Lets no commit pass any record of these groups before all of them are settled.

        If a partition of theirs is given up before, that never comes: whoever has all of them next reads them
        all again.
        """
        tie = _Tie(Hold(), sum(hold.count for hold in holds))
        for hold in holds:
            hold.tie = tie
            for partition, part in hold.parts.items():
                before = tie.hold.parts.setdefault(partition, _Part(part.first, 0, part.since))
                if part.first < before.first:
                    before.first, before.since = part.first, part.since
                self._partitions[partition].holds.add(tie.hold)

    def split(self, hold: Hold, *groups: Sequence[Origin]) -> list[Hold]:
        """Replaces a hold by one for each group of its records; those in no group count as settled.

        Records of partitions that were given up in the meantime are passed over.
        """
        owned, tie = set(hold.parts), hold.tie
        hold.tie = None
        before = self.settle(hold)
        holds = []
        for group in groups:
            new = Hold(tie=tie)
            self.add(new, [origin for origin in group if origin.partition() in owned])
            holds.append(new)
        if tie is not None:
            self._loosen(tie, before - sum(new.count for new in holds))
        return holds

    def outstanding_of(self, partitions: Iterable[int]) -> int:
        """How many records of these partitions are outstanding."""
        return sum(
            hold.parts[partition].count
            for partition in partitions
            if (state := self._partitions.get(partition)) is not None
            for hold in state.holds
        )

    def behind(self, ends: dict[int, int]) -> dict[int, int]:
        """How many offsets lie between what is settled and these end offsets, by partition known."""
        return {
            partition: max(0, ends[partition] - self._safe(partition, state))
            for partition, state in self._partitions.items()
            if partition in ends and state.position is not None
        }

    def behind_since(self, now: float, drained: bool) -> float | None:
        """The Kafka timestamp of the oldest record not settled, in seconds since 1970; None if none waits.

        `drained` says that nothing was left to be read at the time `now`; offsets cannot tell that, as the
        last ones may be marks of transactions. What is not read yet is as old as the last record read, or
        as the last time that nothing was left.
        """
        since = []
        for partition, state in self._partitions.items():
            if drained:
                state.caught_up = now
            if state.holds:
                since.append(min((hold.parts[partition] for hold in state.holds), key=_first).since)
            elif not drained and state.read_until is not None:
                since.append(max(state.read_until, state.caught_up or 0.0))
        return min((at for at in since if at is not None), default=None)

    def to_commit(self) -> dict[int, int]:
        """For each partition that has got further since `committed`, the offset that may now be committed."""
        offsets = {}
        for partition, state in self._partitions.items():
            if state.position is None:
                continue
            safe = self._safe(partition, state)
            if state.committed is None or safe > state.committed:
                offsets[partition] = safe
        return offsets

    def committed(self, offsets: dict[int, int]) -> None:
        """Notes that the broker has these offsets, so that they are not sent to it again."""
        for partition, offset in offsets.items():
            if (state := self._partitions.get(partition)) is not None:
                state.committed = offset

    def _loosen(self, tie: _Tie, settled: int) -> None:
        tie.left -= settled
        if not tie.left:
            self.settle(tie.hold)

    def _safe(self, partition: int, state: _Partition) -> int:
        """The offset before which all is settled."""
        return min((hold.parts[partition].first for hold in state.holds), default=state.position or 0)


def _runs(origins: Sequence[Origin]) -> Iterator[tuple[int, int, int]]:
    """The stretches of one partition: which, where it begins, and where the next one does."""
    end = 0
    for partition, run in groupby([origin.partition() or 0 for origin in origins]):
        begin, end = end, end + len(list(run))
        yield partition, begin, end


def _first(part: _Part) -> int:
    return part.first


def _seconds(origin: Origin) -> float | None:
    kind, milliseconds = origin.timestamp()
    return milliseconds / 1000 if kind else None
