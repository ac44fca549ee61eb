"""What the delivery journal says of records that must never be sent twice.

Before a batch is sent, an entry that names its records is written and acknowledged; after a certain answer
the entry is closed, and once the commit has passed its records it is forgotten; one mark for each partition
says how far that went. Whoever takes a partition over reads the entries and the mark left there first, and
holds the records that come again against them. Nothing here writes or reads: the entries come in, and what
to do comes out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b

from bridge.core.offsets import Hold
from bridge.core.record import Decoded, Doc, Origin, Refused


class State(StrEnum):
    """What is known of the records of an entry."""

    OPEN = "open"  # a request with them may have left: nobody knows whether the API took them
    ACCEPTED = "accepted"
    DEAD_LETTERED = "dead_lettered"
    IN_DOUBT = "parked"  # on the in-doubt topic; the word of old entries, which must stay readable
    MOVED = "moved"  # on the parking topic
    PASSED = "passed"  # the mark: all records before its end are settled, and their entries forgotten


MARK = "mark"
"""What the mark has for a batch id; the ids of batches are longer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch in the journal.

    `batch` is its id, `runs` its offsets as (first, count) in ascending order, `digest` a hash of the values
    of its records, `written` milliseconds since 1970. The mark of a partition has the id of the topic for a
    digest: offsets of another topic of that name say nothing.
    """

    batch: str
    app: str
    partition: int
    runs: tuple[tuple[int, int], ...]
    digest: str
    state: State
    written: int

    @classmethod
    def of(cls, batch: str, app: str, origins: Sequence[Origin], state: State, written: int) -> "Entry":
        """The entry for records of one partition, in order of offset."""
        partition = origins[0].partition() or 0
        return cls(batch, app, partition, _runs(origins), _digest(origins), state, written)

    @classmethod
    def mark(cls, topic_id: str, partition: int, end: int, written: int) -> "Entry":
        """The mark that all before an offset is settled."""
        return cls(MARK, "", partition, ((0, end),), topic_id, State.PASSED, written)

    @property
    def last(self) -> int:
        """The highest offset."""
        first, count = self.runs[-1]
        return first + count - 1

    @property
    def count(self) -> int:
        """How many records."""
        return sum(count for _, count in self.runs)


@dataclass(slots=True, eq=False)
class Found:
    """The records of an entry, as they come again; they settle together, as they did not the first time.

    `docs` holds None for a record that can no longer be decoded; `refused` says of those why.
    """

    entry: Entry
    origins: list[Origin] = field(default_factory=list)
    apps: list[str] = field(default_factory=list)
    docs: list[Doc | None] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    hold: Hold = field(default_factory=Hold)

    @property
    def same(self) -> bool:
        """Whether these are the records that the entry was written for.

        They are not if the topic was deleted and made anew, so that its offsets began again. Where some of
        them are no longer on the topic this cannot be told, and the offsets are believed.
        """
        return len(self.origins) != self.entry.count or _digest(self.origins) == self.entry.digest


@dataclass(slots=True)
class Sifted:
    """What was received, parted: `rest` is what no entry names; the others came `again`.

    Those of which all records are here now are `whole`, and may be in both. What stands before the mark has
    `passed` already.
    """

    rest: Decoded
    passed: list[Origin] = field(default_factory=list)
    again: dict[Found, None] = field(default_factory=dict)
    whole: list[Found] = field(default_factory=list)


class Journal:
    """The entries of the partitions that are ours: those found when they were taken over, and our own."""

    def __init__(self) -> None:
        self._found: dict[int, list[Found]] = {}  # by partition: not all of their records have been read
        self._awaited: dict[tuple[int, int], Found] = {}  # the same by partition and offset
        self._last: dict[int, dict[str, int]] = {}  # partition -> batch id -> last offset
        self._marks: dict[int, int] = {}  # partition -> the offset before which all is settled
        self._below: set[int] = set()  # partitions whose reading has not reached their mark
        self._topic_id: str | None = None

    def take_over(self, entries: Mapping[int, Iterable[Entry]], topic_id: str | None) -> None:
        """Starts with partitions that became ours, by the entries that the journal holds of each.

        `topic_id` tells the topic from others of its name; None if nobody knows, and then no mark counts.
        """
        self._topic_id = topic_id
        for partition, left in entries.items():
            self._drop(partition)
            for entry in sorted(left, key=lambda each: each.written):
                if entry.state is State.PASSED:
                    self._take_mark(entry)
                    continue
                self.written(entry)
                found = Found(entry)
                self._found.setdefault(partition, []).append(found)
                for first, count in entry.runs:
                    self._awaited.update(((partition, first + n), found) for n in range(count))

    def give_up(self, partitions: Iterable[int]) -> None:
        """Lets go of partitions: their next owner reads the journal again."""
        for partition in partitions:
            self._drop(partition)

    def written(self, entry: Entry) -> None:
        """Notes an entry that the journal has, to be forgotten once the commit has passed its records."""
        self._last.setdefault(entry.partition, {})[entry.batch] = entry.last

    def withdrawn(self, partition: int, batch: str) -> None:
        """Notes that an entry is gone: its request provably took nothing."""
        self._last.get(partition, {}).pop(batch, None)

    def passed(self, committed: Mapping[int, int], written: int) -> dict[int, dict[str, Entry | None]]:
        """What is to be written once offsets are committed, by partition and batch id.

        The entries of the batches whose records lie before them go (None), and the mark takes their place.
        """
        changes = {}
        for partition, offset in committed.items():
            entries = self._last.get(partition, {})
            if ids := [batch for batch, last in entries.items() if last < offset]:
                changes[partition] = dict[str, Entry | None].fromkeys(ids)
                for batch in ids:
                    del entries[batch]
                if self._topic_id is not None:
                    end = self._marks[partition] = max(offset, self._marks.get(partition, 0))
                    changes[partition][MARK] = Entry.mark(self._topic_id, partition, end, written)
        return changes

    def sift(self, decoded: Decoded) -> "Sifted":
        """Parts the records that no entry names from those that come again."""
        if not self._found and not self._below:
            return Sifted(decoded)
        sifted, position = Sifted(Decoded()), dict[int, int]()
        refusals = {_place(one.origin): one for one in decoded.refused}
        columns = zip(decoded.origins, decoded.apps, decoded.docs, decoded.sizes, strict=True)
        records: list[tuple[Origin, str, Doc | None, int]] = [*columns]
        records += [(one.origin, "", None, 0) for one in decoded.refused]
        # By offset, as a refused record may lie between two good ones of its batch.
        for origin, app, doc, size in sorted(records, key=lambda each: _place(each[0])):
            place = _place(origin)
            position[place[0]] = place[1]
            found = self._awaited.pop(place, None)
            if found is not None:
                found.origins.append(origin)
                found.apps.append(app)
                found.docs.append(doc)
                found.sizes.append(size)
                sifted.again[found] = None
            elif place[0] in self._below and place[1] < self._marks[place[0]]:
                sifted.passed.append(origin)
                continue
            elif doc is not None:
                sifted.rest.add(origin, app, doc, size)
            if doc is None:
                (sifted.rest if found is None else found).refused.append(refusals[place])
        sifted.whole = self._whole(position)
        self._below -= {p for p, offset in position.items() if offset + 1 >= self._marks.get(p, 0)}
        return sifted

    def _take_mark(self, mark: Entry) -> None:
        if mark.digest == self._topic_id:
            self._marks[mark.partition] = mark.last + 1
            self._below.add(mark.partition)

    def _whole(self, position: Mapping[int, int]) -> list[Found]:
        """Takes out those whose last record was read, by the last offset read of each partition.

        Records that the topic no longer has do not keep the others waiting once a later one was read.
        """
        whole = []
        for partition, offset in position.items():
            waiting = self._found.pop(partition, [])
            whole += [found for found in waiting if found.entry.last <= offset and found.origins]
            if later := [found for found in waiting if found.entry.last > offset]:
                self._found[partition] = later
        return whole

    def _drop(self, partition: int) -> None:
        self._last.pop(partition, None)
        self._marks.pop(partition, None)
        self._below.discard(partition)
        self._found.pop(partition, None)
        self._awaited = {place: found for place, found in self._awaited.items() if place[0] != partition}


def _place(origin: Origin) -> tuple[int, int]:
    return origin.partition() or 0, origin.offset() or 0


def _runs(origins: Sequence[Origin]) -> tuple[tuple[int, int], ...]:
    runs: list[tuple[int, int]] = []
    for origin in origins:
        offset = origin.offset() or 0
        if runs and sum(runs[-1]) == offset:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((offset, 1))
    return tuple(runs)


def _digest(origins: Sequence[Origin]) -> str:
    digest = blake2b(digest_size=16)
    for origin in origins:
        value = origin.value() or b""
        digest.update(len(value).to_bytes(8) + value)
    return digest.hexdigest()
