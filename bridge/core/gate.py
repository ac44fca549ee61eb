"""A gate may stand between the reading of records and their batches: it keeps some until a whole is complete.

A stream declares one where its records count only together. The gate decides about records; `Entrance` keeps
the ledger and the books true to what it decided.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bridge.core.books import Books
from bridge.core.offsets import Hold, Offsets
from bridge.core.record import Decoded, Origin, Refused


@dataclass(frozen=True, slots=True)
class GateBounds:
    """What the stream may have outstanding: a gate that holds so much would wait for records for ever."""

    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something odd about records that are well each by themselves; holds no value of any.

    `field` is the declared field it is about, `problem` a short stable code, both used as metric labels;
    `records` says how many it concerns.
    """

    field: str
    problem: str
    records: int


@dataclass(slots=True)
class Gathered:
    """What a gate makes of the records of one poll. Records of one partition stay in the order received.

    `passed` are to be batched at once, and refused one by one. Each of `runs` goes out whole: after `passed`,
    nothing between its requests, its offsets committed when the last of it is settled. Each of `refused` is
    refused as a whole. `superseded` are settled, as later ones stand for them. `held` are kept from this poll
    on, and `released` says that some left again, whenever they came.
    """

    passed: Decoded = field(default_factory=Decoded)
    runs: list[Decoded] = field(default_factory=list)
    refused: list[list[Refused]] = field(default_factory=list)
    superseded: list[Origin] = field(default_factory=list)
    held: list[Origin] = field(default_factory=list)
    released: bool = False
    findings: list[Finding] = field(default_factory=list)


class Gate(Protocol):
    """Decides which records go on, and when. Does no input or output and keeps no offsets."""

    @property
    def bytes(self) -> int:
        """Bytes, as they are on the topic, of the records held."""
        ...

    def held(self) -> Sequence[Origin]:
        """The records held, those of one partition in the order received."""
        ...

    def receive(self, decoded: Decoded) -> Gathered:
        """Takes records in and says what becomes of them, and of those held."""
        ...

    def forget(self, partitions: Iterable[int]) -> None:
        """Drops what is held of partitions given up. They may come back, and all is received again then."""


class Entrance:
    """A gate with its share of the ledger and the books.

    `records` is how many the gate holds, also for other threads to read; `findings` collects what it reports.
    """

    def __init__(self, gate: Gate, offsets: Offsets, books: Books) -> None:
        self._gate = gate
        self._offsets = offsets
        self._books = books
        self._hold = Hold()
        self.records = 0
        self.findings: list[Finding] = []

    @property
    def bytes(self) -> int:
        """Bytes of the records that the gate holds."""
        return self._gate.bytes

    def receive(self, decoded: Decoded) -> Gathered:
        """As `Gate.receive`. What is passed, in a run or refused is for the caller to put into the ledger."""
        gathered = self._gate.receive(decoded)
        if gathered.released:  # costs a step for each record still held, so not with every poll
            self._offsets.settle(self._hold)
            self._hold = Hold()
            self._offsets.add(self._hold, self._gate.held())
        else:
            self._offsets.add(self._hold, gathered.held)
        superseded = Hold()
        # In order, as the ledger wants them; the gate may name a late record before those held.
        self._offsets.add(superseded, sorted(gathered.superseded, key=lambda origin: origin.offset() or 0))
        self._books.superseded += self._offsets.settle(superseded)
        self.records = self._hold.count
        self.findings += gathered.findings
        return gathered

    def forget(self, partitions: Iterable[int]) -> None:
        """Follows the ledger, which has given these partitions up."""
        self._gate.forget(partitions)
        self.records = self._hold.count
