"""How a batch goes out: straight to the API, or under the delivery journal."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import structlog

from bridge.core.batcher import Batch
from bridge.core.journal import Entry, Journal, State
from bridge.core.outcome import Accepted, InDoubt, Outcome, Unavailable, cautious
from bridge.core.ports import Api, Fenced, JournalStore, Lease, ParkingTopic, Written
from bridge.core.record import Origin

log = structlog.get_logger(__name__)


class Delivery(Protocol):
    """Sends batches, and is told of all that settles."""

    async def fence(self, partitions: Collection[int]) -> None:
        """These partitions are about to be ours: what their earlier owners have begun to write ends here."""

    async def assigned(self, partitions: Collection[int]) -> None:
        """These partitions are ours, and none of their records has been received yet."""

    async def send(self, batch: Batch) -> Outcome:
        """Sends a batch and says what it came to; never raises for the API or the network.

        Raises:
            Fenced: the partition of the batch belongs to another process; nothing was sent.
        """
        ...

    async def put_aside(self, batch: Batch, origins: Sequence[Origin], state: State) -> None:
        """These records of a batch are on the dead-letter or the in-doubt topic, and may be settled now."""

    async def park(self, batch: Batch, parking: ParkingTopic) -> Written:
        """Writes a batch to the parking topic, so that it counts as settled in the same moment."""
        ...

    def committed(self, offsets: dict[int, int]) -> None:
        """The broker has these offsets."""


class Direct:
    """For streams whose records may be sent twice: nothing is written down."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def fence(self, partitions: Collection[int]) -> None:
        """Needs nothing."""

    async def assigned(self, partitions: Collection[int]) -> None:
        """Needs nothing."""

    async def send(self, batch: Batch) -> Outcome:
        """Sends it."""
        return await self._api.publish(batch.operation, batch.app, batch.docs, batch.id)

    async def put_aside(self, batch: Batch, origins: Sequence[Origin], state: State) -> None:
        """Needs nothing."""

    async def park(self, batch: Batch, parking: ParkingTopic) -> Written:
        """Writes it."""
        return await parking.write(batch, None)

    def committed(self, offsets: dict[int, int]) -> None:
        """Needs nothing."""


class Journaled:
    """For streams whose records must not be sent twice.

    An entry is open exactly while a request with its records may have left and its answer is not known. An
    answer that says that nothing was taken deletes it, so that only the moment of sending is ever in doubt.
    `wall` gives seconds since 1970.
    """

    def __init__(self, api: Api, store: JournalStore, journal: Journal, wall: Callable[[], float]) -> None:
        self._api = api
        self._store = store
        self._journal = journal
        self._wall = wall

    async def fence(self, partitions: Collection[int]) -> None:
        """Ends the leases of earlier owners."""
        await self._store.fence(partitions)

    async def assigned(self, partitions: Collection[int]) -> None:
        """Reads what earlier owners left, once none of them can write any more."""
        entries = await self._store.take_over(partitions)
        topic_id = await self._store.topic_id()
        self._journal.take_over({partition: entries.get(partition, ()) for partition in partitions}, topic_id)
        unclear = [each for left in entries.values() for each in left if each.state is State.OPEN]
        if unclear:
            log.warning(
                "batches_found_in_doubt",
                batches=[each.batch for each in unclear],
                records=sum(each.count for each in unclear),
            )

    async def send(self, batch: Batch) -> Outcome:
        """Writes the entry, sends, and closes the entry by the answer."""
        # Taken now and kept: a lease of a later assignment must not close what this one opened.
        lease = self._store.lease(batch.partition)
        await self._write(lease, self._entry(batch, batch.origins, State.OPEN))
        outcome = cautious(await self._api.publish(batch.operation, batch.app, batch.docs, batch.id))
        try:
            await self._close(lease, batch, outcome)
        except Fenced:
            # The next owner holds the records for in doubt, which they are to it: it may park or send them.
            if not isinstance(outcome, Accepted | InDoubt):
                return Unavailable("the partition was taken over by another process")
        return outcome

    async def put_aside(self, batch: Batch, origins: Sequence[Origin], state: State) -> None:
        """Writes that they are settled, so that they are not sent after a crash before the commit."""
        try:
            await self._write(self._store.lease(batch.partition), self._entry(batch, origins, state))
        except Fenced:
            log.warning("journal_taken_over", partition=batch.partition)

    async def park(self, batch: Batch, parking: ParkingTopic) -> Written:
        """Writes it, and with it that it is there: after a crash it must not go there twice."""
        entry = self._entry(batch, batch.origins, State.MOVED)
        written = await parking.write(batch, entry)
        if written.last:
            self._journal.written(entry)
        return written

    def committed(self, offsets: dict[int, int]) -> None:
        """Forgets what the commit has passed, but for how far it went."""
        for partition, entries in self._journal.passed(offsets, self._now()).items():
            self._store.lease(partition).write_later(entries)

    async def _close(self, lease: Lease, batch: Batch, outcome: Outcome) -> None:
        if isinstance(outcome, Accepted):
            await self._write(lease, self._entry(batch, batch.origins, State.ACCEPTED))
        elif not isinstance(outcome, InDoubt):  # which stays open until the records are put aside
            await lease.write({batch.id: None})
            self._journal.withdrawn(batch.partition, batch.id)

    async def _write(self, lease: Lease, entry: Entry) -> None:
        await lease.write({entry.batch: entry})
        self._journal.written(entry)

    def _entry(self, batch: Batch, origins: Sequence[Origin], state: State) -> Entry:
        return Entry.of(batch.id, batch.app, origins, state, self._now())

    def _now(self) -> int:
        return int(self._wall() * 1000)
