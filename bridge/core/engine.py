"""The sink engine without its loop: records go in, batches come out, outcomes go in, offsets come out.

Nothing here waits, reads a clock or talks to anyone, so tests can drive it through any order of events.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from bridge.core.batcher import Batch, Batcher, BatchLimits, lanes_of
from bridge.core.books import Books
from bridge.core.flood_guard import FloodGuard, FloodLimits, Trip
from bridge.core.gate import Entrance, Finding, Gate, Gathered
from bridge.core.journal import Found, Journal, State
from bridge.core.offsets import Hold, Offsets
from bridge.core.outcome import Accepted, InDoubt, Outcome, Rejected
from bridge.core.parking import Parking, Places
from bridge.core.record import Decoded, Doc, Origin, Refused
from bridge.core.sender import Sender, SendLimits
from bridge.core.stream import SinkStream
from bridge.core.verdicts import Bury, Doubt, doubt

CROWDED_SHARE = 16  # of the bound: what is left of it is too little


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """The bounds of one stream. What is outstanding (received and not yet settled) bounds its memory.

    `park_after` is how many seconds an app must have failed, alone, before it is parked; None: it never is.
    With `partitions_apart` a partition rests as soon as a full batch of its records is outstanding, so that
    none takes the room of another.
    """

    batch: BatchLimits
    send: SendLimits
    flood: FloodLimits
    max_outstanding_records: int
    max_outstanding_bytes: int
    park_after: float | None = None
    partitions_apart: bool = False


class Engine:
    """One stream's batches, lanes, ledger, books and flood guards. `now` is always in monotonic seconds."""

    def __init__(
        self,
        stream: SinkStream,
        topic: str,
        limits: EngineLimits,
        draw: Callable[[], float],
        gate: Gate | None = None,
    ) -> None:
        self.books = Books()
        self.offsets = Offsets()
        self._entrance = Entrance(gate, self.offsets, self.books) if gate is not None else None
        self.journal = Journal()
        self.parking = Parking(limits.park_after)
        self._stream = stream
        self._topic = topic
        self._limits = limits
        self._batcher = Batcher(limits.batch, stream, topic, self.offsets, self.books)
        send = replace(limits.send, in_flight_per_lane=1) if stream.ordered else limits.send
        self._sender = Sender(send, topic, self.offsets, draw)
        self._arm()
        self._withheld: list[Bury] = []
        self._burying_bytes = 0
        self._doubts: list[Doubt] = []
        self.shown = (Books(), 0)
        """Books and records outstanding as of the last event: a copy that balances, for other threads."""

    @property
    def tripped(self) -> Trip | None:
        """Why the flood guard has stopped the stream; None while it has not."""
        return self._decoding.tripped or self._gathering.tripped or self._sending.tripped

    @property
    def waiting(self) -> dict[str, str]:
        """The apps whose lane waits after a failure, and why."""
        return self._sender.waiting()

    @property
    def held_up(self) -> dict[str, str]:
        """The apps that wait after a failure and the outcome that made them wait, or `parked`."""
        return self._sender.held_up() | dict.fromkeys(self.parking.apps, "parked")

    @property
    def waits(self) -> Mapping[str, float]:
        """Seconds that apps had to wait after failures, by the outcome that made them wait."""
        return self._sender.waits

    @property
    def denied(self) -> bool:
        """Whether the API refuses our credentials."""
        return self._sender.denied

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self._sender.in_flight

    @property
    def concurrency_limit(self) -> int:
        """Requests that may be under way now."""
        return self._sender.concurrency_limit

    @property
    def gathering(self) -> int:
        """Records held until the whole they belong to is complete."""
        return self._entrance.records if self._entrance is not None else 0

    @property
    def batching(self) -> int:
        """Records in open batches, which wait for more of them or for their age."""
        return self._batcher.records

    @property
    def room(self) -> int:
        """How many more records may be received now; 0 at a bound and once the flood guard has tripped."""
        room = self._room
        return min(room, self._limits.batch.max_records) if self._limits.partitions_apart else room

    @property
    def crowded(self) -> bool:
        """Whether there is so little room that it is better to wait for more than to read on bit by bit."""
        return self._room < max(1, self._limits.max_outstanding_records // CROWDED_SHARE)

    @property
    def _room(self) -> int:
        outstanding_bytes = self._batcher.bytes + self._sender.bytes + self._burying_bytes
        if self._entrance is not None:
            outstanding_bytes += self._entrance.bytes
        if self.tripped or outstanding_bytes >= self._limits.max_outstanding_bytes:
            return 0
        return max(0, self._limits.max_outstanding_records - self.offsets.outstanding)

    @property
    def resting(self) -> set[int]:
        """The partitions that are not to be read now, as enough of their records is outstanding."""
        if not self._limits.partitions_apart:
            return set()
        records, size = Counter[int](), Counter[int]()
        for batch in chain(self._batcher.batches, self._sender.batches):
            for partition, part in batch.hold.parts.items():
                records[partition] += part.count
                size[partition] += batch.bytes
        full = self._limits.batch
        return {p for p in records if records[p] >= full.max_records or size[p] >= full.max_bytes}

    def admits(self, decoded: Decoded) -> bool:
        """Judges records of partitions that are ours: if too many are refused, that stops the stream.

        Then, and while it is stopped, they are not to be received but to be decoded again after `resume`.
        """
        if not self.tripped:
            self._decoding.note(len(decoded.docs), len(decoded.refused))
        if self.tripped:
            self.offsets.begin(chain(decoded.origins, (one.origin for one in decoded.refused)))
        return not self.tripped

    def receive(self, decoded: Decoded, now: float) -> Bury | None:
        """Takes in records that were admitted. Returns what must be dead-lettered of them."""
        received = len(decoded.docs) + len(decoded.refused)
        self.books.received += received
        sifted = self.journal.sift(decoded)
        passed = Hold()
        self.offsets.add(passed, sifted.passed)
        self.books.settled_before += self.offsets.settle(passed)
        for found in sifted.again:
            self.offsets.add(found.hold, found.origins[found.hold.count :])
        rest = sifted.rest
        gathered = Gathered(rest) if self._entrance is None else self._entrance.receive(rest)
        singly = len(gathered.passed.refused) - len(rest.refused)
        # What is refused as a whole is one judgement, however many records it has.
        self._gathering.note(len(rest.docs) - singly, singly + len(gathered.refused))
        refused = list(chain(gathered.passed.refused, *gathered.refused))
        refused += [one for found in sifted.whole for one in self._come_again(found, now)]
        self._sender.add(self._batcher.add(gathered.passed, now))
        for run in gathered.runs:
            self._send_whole(run, now)
        # The ledger wants them in order, and those that came again may have come before others of today.
        refused.sort(key=lambda one: (one.origin.partition() or 0, one.origin.offset() or 0))
        hold = Hold()
        self.offsets.add(hold, [one.origin for one in refused])
        self._show()
        return self._burying(Bury(hold, refused))

    def findings(self) -> list[Finding]:
        """What was found odd about records as a whole since the last call."""
        if self._entrance is None:
            return []
        found, self._entrance.findings = self._entrance.findings, []
        return found

    def doubts(self) -> list[Doubt]:
        """What has come up for the in-doubt topic since the last call."""
        doubts, self._doubts = self._doubts, []
        return doubts

    def take(self, now: float) -> Batch | None:
        """The next batch to send now; None if there is none, or the stream has been stopped."""
        if self.tripped:
            return None
        self._sender.add(self._batcher.close_aged(now))
        self._show()
        return self._sender.take(now) or self._take_early(now)

    def _take_early(self, now: float) -> Batch | None:
        """Of many apps' open batches, which leave no room, the fullest: none could get any fuller."""
        if self._sender.full or not self.crowded or 2 * self.batching < self.offsets.outstanding:
            return None
        self._sender.add(self._batcher.close_fullest(lambda lane: self._sender.free(lane, now)))
        return self._sender.take(now)

    def returned(self, batch: Batch, outcome: Outcome, now: float) -> Bury | None:
        """Takes a batch back with its outcome. Returns what must be dead-lettered of it."""
        size = batch.hold.count
        verdict = self._sender.returned(batch, outcome, now)
        self._judge_app(batch, outcome, now)
        if isinstance(verdict, Bury):
            self._sending.note(0, len(verdict.refused))
            return self._burying(verdict)
        if isinstance(verdict, Doubt):
            self._doubting(verdict)
            return None
        if isinstance(outcome, Accepted):
            self._sending.note(size, 0)
            self.books.batches += 1
        if verdict is not None:
            self.books.delivered += self.offsets.settle(verdict.hold)
        self._show()
        return None

    def resume(self) -> list[Bury]:
        """Goes on after the flood guard has stopped the stream, and counts anew.

        What the API refused is sent again, before all that waits in its lane. Returns what must be
        dead-lettered: what a gate refused, as it would do so again.
        """
        self._arm()
        withheld, self._withheld = self._withheld, []
        self._sender.again(bury.batch for bury in reversed(withheld) if bury.batch is not None)
        buries = [self._burying(each.owned()) for each in withheld if each.batch is None]
        return [bury for bury in buries if bury is not None]

    def buried(self, bury: Bury) -> None:
        """Settles records that the dead-letter topic has acknowledged."""
        self._burying_bytes -= bury.bytes
        self.books.dead_lettered += self.offsets.settle(bury.hold)
        self._show()

    def doubted(self, doubted: Doubt) -> None:
        """Settles records that the in-doubt topic has acknowledged."""
        self._burying_bytes -= doubted.batch.bytes
        self.books.in_doubt += self.offsets.settle(doubted.batch.hold)
        self._show()

    def take_parked(self) -> Batch | None:
        """The next batch to write to the parking topic; None if there is none."""
        if self.tripped or not self.parking.apps:
            return None
        if not self.room:
            self.parking.make_room()
        batch = self._sender.take_parked(self.parking.open)
        if batch is not None:
            self._burying_bytes += batch.bytes
            self.parking.writing(batch.app)
        return batch

    def parked(self, batch: Batch, last: Places, now: float) -> None:
        """Settles a batch that the parking topic has; `last` is the last offset in each of its partitions."""
        self._burying_bytes -= batch.bytes
        self.books.parked += self.offsets.settle(batch.hold)
        self._sender.gone(batch)
        self.parking.written(batch.app, last, now)
        self._show()

    def park(self, app: str, last: Places | None = None) -> None:
        """From here on records of this app go to the parking topic; an earlier owner wrote up to `last`."""
        self.parking.park(app, last)
        self._sender.park(app)

    def unpark(self, app: str) -> bool:
        """Sends records of this app straight again, unless it was parked anew meanwhile; says if it does."""
        if not self.parking.back(app):
            return False
        self._sender.unpark(app)
        return True

    def close_open(self) -> None:
        """Closes the open batches, however young, so that what is here can go out before partitions go."""
        self._sender.add(self._batcher.close_all())
        self._show()

    def give_up(self, partitions: Collection[int]) -> int:
        """Hands partitions over; returns how many of their records the next owner must read again."""
        self.close_open()
        partitions = list(partitions)
        self.journal.give_up(partitions)
        handed_over = self.offsets.revoke(partitions)
        self.books.handed_over += handed_over
        if self._entrance is not None:
            self._entrance.forget(partitions)
        self._sender.drop_unowned()
        self._show()
        return handed_over

    def wake_at(self) -> float | None:
        """The monotonic second at which `take` may have something again though nothing has happened."""
        if self.tripped:
            return None
        times = [t for t in (self._batcher.next_close(), self._sender.next_try()) if t is not None]
        return min(times, default=None)

    def _arm(self) -> None:
        # One for each judgement, as they come at different times: an outage must not make decoding errors
        # look alone.
        self._decoding = FloodGuard(self._limits.flood)
        self._gathering = FloodGuard(self._limits.flood)
        self._sending = FloodGuard(self._limits.flood)

    def _judge_app(self, batch: Batch, outcome: Outcome, now: float) -> None:
        if isinstance(outcome, Accepted | Rejected):
            self.parking.answered(batch.app, now)
            return
        since = self._sender.failing_since(batch.lane)
        if since is not None and self.parking.failed(batch.app, since, now, full=not self.room):
            self.park(batch.app)

    def _send_whole(self, run: Decoded, now: float) -> None:
        """Queues a run behind all that came before it; a lane's queue keeps its requests together."""
        self._sender.add(self._batcher.close_all())
        batches = self._batcher.add(run, now) + self._batcher.close_all()
        self.offsets.tie([batch.hold for batch in batches])
        self._sender.add(batches)

    def _come_again(self, found: Found, now: float) -> list[Refused]:
        """Does with records what their entry asks for; returns what is to be buried of them."""
        if found.same and found.entry.state is not State.OPEN:
            self.books.settled_before += self.offsets.settle(found.hold)
        elif found.same and self._limits.send.keep_doubtful:
            docs = [doc or {} for doc in found.docs]
            batch = self._batch(found.entry.app, found.origins, docs, found.hold, now)
            batch.bytes, batch.id = sum(found.sizes), found.entry.batch
            self._doubting(doubt(batch, InDoubt("the bridge ended before the answer of the API came")))
        else:
            self._again(found, now)
            return found.refused
        return []

    def _again(self, found: Found, now: float) -> None:
        """Sends them once more: policy says so, or these are not the records that the entry was written for.

        As one batch, so that the same records go out under the name that they had.
        """
        apps = list(
            dict.fromkeys(app for app, doc in zip(found.apps, found.docs, strict=True) if doc is not None)
        )
        groups = [
            [n for n, doc in enumerate(found.docs) if doc is not None and found.apps[n] == app]
            for app in apps
        ]
        origins = [[found.origins[n] for n in group] for group in groups]
        holds = self.offsets.split(found.hold, *origins)
        for app, group, hold in zip(apps, groups, holds, strict=True):
            docs = [doc for n in group if (doc := found.docs[n]) is not None]
            batch = self._batch(app, [found.origins[n] for n in group], docs, hold, now)
            batch.bytes = sum(found.sizes[n] for n in group)
            batch.seal(self._topic)
            self._sender.add([batch])

    def _batch(self, app: str, origins: list[Origin], docs: list[Doc], hold: Hold, now: float) -> Batch:
        [lane] = lanes_of(self._stream, Decoded(origins[:1], [app]))
        return Batch(app, lane, self._stream.operation, now, origins, docs, hold=hold)

    def _show(self) -> None:
        self.shown = (replace(self.books), self.offsets.outstanding)

    def _burying(self, bury: Bury) -> Bury | None:
        """Lets these records go to the dead letters; while the stream is stopped they are withheld."""
        if self.tripped:
            self._withheld.append(bury)
        if self.tripped or not bury.refused:
            return None
        self._burying_bytes += bury.bytes
        return bury

    def _doubting(self, doubted: Doubt) -> None:
        self._burying_bytes += doubted.batch.bytes
        self._doubts.append(doubted)
