"""Gates for records that go out as they come, or as whole snapshots of all that there is.

A snapshot is complete when as many different records have come as its size says: so it does not matter over
how many partitions it was spread, nor whether the record with its size overtook others on its way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.core.gate import Finding, GateBounds, Gathered
from bridge.core.record import Decoded, Doc, Origin, Refused

NUMBER = "snapshot"
SIZE = "snapshotSize"


class Unfit(Exception):
    """A record cannot be sent; the message completes its dead letter and holds no value of it."""


Shape = Callable[[Doc], Doc]
"""Makes of a valid record what is sent of it; raises Unfit if it cannot be sent."""


@dataclass(frozen=True, slots=True)
class SnapshotRules:
    """`identity` is the field that tells records apart; a snapshot has at most `max_records` of them.

    `examine` looks at a whole one, by identity, before any of it is sent; with `refuse` nothing of it is sent
    if anything was found.
    """

    identity: str
    max_records: int
    examine: Callable[[Mapping[str, Doc]], list[Finding]]
    refuse: bool


class Changes:
    """Lets every record through as it comes; what is said of snapshots is left out."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    @property
    def bytes(self) -> int:
        """It holds nothing."""
        return 0

    def held(self) -> Sequence[Origin]:
        """It holds nothing."""
        return ()

    def receive(self, decoded: Decoded) -> Gathered:
        """Passes the records on in the form in which they are sent."""
        passed = Decoded(refused=list(decoded.refused))
        for record in _records(decoded):
            try:
                _put(passed, record, self._shape(record.doc))
            except Unfit as unfit:
                passed.refused.append(Refused(record.origin, "invalid", str(unfit)))
        return Gathered(passed)

    def forget(self, partitions: Iterable[int]) -> None:
        """It holds nothing."""


@dataclass(frozen=True, slots=True)
class _Record:
    origin: Origin
    app: str
    doc: Doc
    size: int


@dataclass(slots=True)
class _Snapshot:
    """One snapshot; its `records` are in the order received, and gone once it went out or was refused."""

    number: int
    records: dict[Any, _Record] = field(default_factory=dict)
    size: int | None = None
    bytes: int = 0
    closed: bool = False
    refused: tuple[str, str] | None = None  # reason and detail

    def add(self, identity: Any, record: _Record) -> _Record | None:
        """Takes a record in; returns the earlier one of the same identity, whose place it takes."""
        earlier = self.records.pop(identity, None)
        self.records[identity] = record
        self.bytes += record.size - (earlier.size if earlier is not None else 0)
        return earlier

    def close(self) -> list[_Record]:
        """Ends it; returns what it held."""
        records = list(self.records.values())
        self.records, self.bytes, self.closed = {}, 0, True
        return records


class Snapshots:
    """Holds the records of a snapshot until it is complete, and lets it out in one run.

    Of several snapshots the one with the greatest number counts: the rest of an older one is superseded. Only
    the newest is remembered, and nothing of it once partitions are given up, as records come again then.
    """

    def __init__(self, rules: SnapshotRules, bounds: GateBounds, shape: Shape) -> None:
        self._rules = rules
        self._bounds = bounds
        self._shape = shape
        self._newest: _Snapshot | None = None

    @property
    def bytes(self) -> int:
        """Bytes of the records held."""
        return self._newest.bytes if self._newest is not None else 0

    def held(self) -> Sequence[Origin]:
        """The records of the unfinished snapshot."""
        return [r.origin for r in self._newest.records.values()] if self._newest is not None else ()

    def receive(self, decoded: Decoded) -> Gathered:
        """Gathers records, and lets out or refuses what they complete."""
        gathered = Gathered(Decoded(refused=list(decoded.refused)))
        for record in _records(decoded):
            number = record.doc.get(NUMBER)
            if number is None:
                wanted = f"{NUMBER} is missing; here each record says which snapshot it belongs to"
                gathered.passed.refused.append(Refused(record.origin, "invalid", wanted))
            elif self._newest is not None and number < self._newest.number:
                gathered.superseded.append(record.origin)
            else:
                self._take(self._current(number, gathered), record, gathered)
        gathered.findings = _summed(gathered.findings)
        return gathered

    def forget(self, partitions: Iterable[int]) -> None:
        """Drops what is held of these partitions, and that a snapshot is out.

        It may not be out wholly yet, and its records come again if so; if not, there is nothing to repeat.
        """
        gone, newest = set(partitions), self._newest
        self._newest = None
        if newest is None or newest.closed:
            return
        self._newest = kept = _Snapshot(newest.number)
        for identity, record in newest.records.items():
            if record.origin.partition() not in gone:
                kept.add(identity, record)
                kept.size = record.doc.get(SIZE, kept.size)

    def _current(self, number: int, gathered: Gathered) -> _Snapshot:
        """The snapshot of that number; a new one takes the place of an older one, finished or not."""
        if self._newest is None or self._newest.number < number:
            if self._newest is not None and self._newest.records:
                gathered.superseded += [record.origin for record in self._newest.close()]
                gathered.released = True
            self._newest = _Snapshot(number)
        return self._newest

    def _take(self, snapshot: _Snapshot, record: _Record, gathered: Gathered) -> None:
        if snapshot.refused is not None:
            if not gathered.refused:
                gathered.refused.append([])
            gathered.refused[-1] += _refused([record], *snapshot.refused)
        elif snapshot.closed:
            gathered.superseded.append(record.origin)
            gathered.findings.append(Finding(NUMBER, "late", 1))
        else:
            self._add(snapshot, record, gathered)

    def _add(self, snapshot: _Snapshot, record: _Record, gathered: Gathered) -> None:
        try:
            self._shape(record.doc)
        except Unfit as unfit:
            gathered.passed.refused.append(Refused(record.origin, "invalid", str(unfit)))
            return
        gathered.held.append(record.origin)
        if (earlier := snapshot.add(record.doc[self._rules.identity], record)) is not None:
            gathered.superseded.append(earlier.origin)
            gathered.released = True
        snapshot.size = record.doc.get(SIZE, snapshot.size)
        if (refusal := self._too_large(snapshot)) is not None:
            _refuse(snapshot, refusal, gathered)
        elif len(snapshot.records) == snapshot.size:
            self._complete(snapshot, gathered)

    def _too_large(self, snapshot: _Snapshot) -> tuple[str, str] | None:
        """Why it cannot be completed, if so."""
        count, said, most = len(snapshot.records), snapshot.size or 0, self._rules.max_records
        if max(count, said) > most:
            return "too_large", f"the snapshot has {max(count, said)} records where {most} are allowed"
        if count >= self._bounds.records and count != said:
            return "too_large", f"the unfinished snapshot fills max_outstanding_records ({count})"
        if snapshot.bytes >= self._bounds.bytes and count != said:
            return "too_large", f"the unfinished snapshot fills max_outstanding_bytes ({snapshot.bytes})"
        if said and count > said:
            return "invalid", f"the snapshot has {count} different records where {SIZE} says {said}"
        return None

    def _complete(self, snapshot: _Snapshot, gathered: Gathered) -> None:
        docs = {identity: self._shape(record.doc) for identity, record in snapshot.records.items()}
        found = self._rules.examine(docs)
        gathered.findings += found
        if found and self._rules.refuse:
            told = ", ".join(f"{each.field} {each.problem} ({each.records})" for each in found)
            _refuse(snapshot, ("invalid", f"the snapshot is refused as a whole for {told}"), gathered)
            return
        run = Decoded()
        for record, doc in zip(snapshot.close(), docs.values(), strict=True):
            _put(run, record, doc)
        run.apps = run.apps[:1] * len(run.apps)  # one lane, so that its requests follow each other
        gathered.runs.append(run)
        gathered.released = True


def _records(decoded: Decoded) -> Iterable[_Record]:
    return map(_Record, decoded.origins, decoded.apps, decoded.docs, decoded.sizes)


def _put(target: Decoded, record: _Record, doc: Doc) -> None:
    target.origins.append(record.origin)
    target.apps.append(record.app)
    target.docs.append(doc)
    target.sizes.append(record.size)


def _refuse(snapshot: _Snapshot, refusal: tuple[str, str], gathered: Gathered) -> None:
    snapshot.refused = refusal
    gathered.refused.append(_refused(snapshot.close(), *refusal))
    gathered.released = True


def _refused(records: Iterable[_Record], reason: str, detail: str) -> list[Refused]:
    return [Refused(record.origin, reason, detail) for record in records]


def _summed(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each field and problem."""
    counts: dict[tuple[str, str], int] = {}
    for each in findings:
        counts[each.field, each.problem] = counts.get((each.field, each.problem), 0) + each.records
    return [Finding(name, problem, count) for (name, problem), count in counts.items()]
