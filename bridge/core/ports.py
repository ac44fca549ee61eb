"""What the engine needs from the outside, as protocols that real clients and tests fill in."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.core.batcher import Batch
from bridge.core.journal import Entry
from bridge.core.outcome import Outcome
from bridge.core.polling import Json, Write
from bridge.core.record import Doc
from bridge.core.stream import Operation


class Api(Protocol):
    """Where batches go."""

    async def publish(self, operation: Operation, app: str, docs: Sequence[Doc], key: str) -> Outcome:
        """Sends one batch of at most the operation's limit and says what it came to; never raises for it.

        `key` is the same whenever the same batch is sent again and goes out as `Idempotency-Key`.
        """
        ...


class Owner(Protocol):
    """Who must know when partitions come and go. Its methods run in the event loop."""

    async def assigned(self, partitions: list[int]) -> None:
        """These partitions are ours from now on."""

    async def revoked(self, partitions: list[int]) -> dict[int, int]:
        """These partitions go to another member once this returns the offsets to commit for them."""
        ...

    async def lost(self, partitions: list[int]) -> None:
        """These partitions went to another member already; a commit for them would be refused."""


class Membership(Protocol):
    """One member of a consumer group, on one topic: where records come from and offsets go."""

    @property
    def refused(self) -> str | None:
        """Why the cluster and we do not talk; None if we do."""
        ...

    async def start(self, owner: Owner, committed: Callable[[dict[int, int]], None]) -> None:
        """Joins the group. `committed` is called in the event loop when the broker has taken a commit."""

    async def poll(self, limit: int, seconds: float, resting: Collection[int] = ()) -> list[Any]:
        """Up to `limit` messages, waiting at most so many `seconds`; none of the `resting` partitions.

        With a limit of 0 they all rest.
        """
        ...

    async def commit(self, offsets: dict[int, int]) -> None:
        """Sends a commit without waiting for the answer."""

    async def ends(self) -> dict[int, int]:
        """The end offset of each assigned partition, as far as known."""
        ...

    async def again(self, partitions: Collection[int]) -> None:
        """Begins anew, through the owner, with those of these partitions that are still assigned."""

    async def close(self) -> None:
        """Gives all partitions up through the owner and leaves the group."""


class Fenced(Exception):
    """Another process has taken over, and with it the right to write to a journal or a cursor."""


class Lease(Protocol):
    """The right to write the journal of one partition, until somebody takes the partition over."""

    async def write(self, entries: Mapping[str, Entry | None]) -> None:
        """Returns once these entries are safely stored, by batch id; None deletes one.

        Raises:
            Fenced: the lease has ended, and nothing was written.
        """

    def write_later(self, entries: Mapping[str, Entry | None]) -> None:
        """Writes these together with the next write; until then what they replace does no harm."""


class JournalStore(Protocol):
    """Where the delivery journal is kept."""

    async def take_over(self, partitions: Collection[int]) -> Mapping[int, Sequence[Entry]]:
        """Ends the leases of earlier owners, then reads what they left, in that order."""
        ...

    async def topic_id(self) -> str | None:
        """What tells the stream's topic from others of its name; None if the cluster has no such thing."""
        ...

    def lease(self, partition: int) -> Lease:
        """The present lease of a partition that was taken over."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch for the parking topic: the last offset in each of its partitions.

    `fenced` are the stream's partitions that belong to another process: their records were not written.
    """

    last: Mapping[int, int]
    fenced: frozenset[int] = frozenset()


class ParkingTopic(Protocol):
    """Where records of parked apps wait, and the memory of which those are, by partition of the stream."""

    async def fence(self, partitions: Collection[int]) -> None:
        """From here on earlier owners of these partitions park nothing more."""

    async def left(self, partitions: Collection[int]) -> Mapping[str, Mapping[int, int]]:
        """What they parked, once they are fenced: by app, the last offset in each partition of the topic."""
        ...

    async def write(self, batch: Batch, entry: Entry | None) -> Written:
        """Returns once these records are safely stored, and with them the entry of the delivery journal."""
        ...

    async def forget(self, app: str) -> None:
        """Notes that all that was parked of an app is delivered, unless more has been parked meanwhile."""

    async def committed(self, partitions: Collection[int]) -> Mapping[int, int]:
        """The offsets before which these partitions of the parking topic are settled, as far as known."""
        ...


class SourceStore(Protocol):
    """Where one source's records go, and its cursor with them."""

    async def take_over(self) -> dict[str, Json]:
        """Ends the writer of an earlier owner, then reads the entries of the cursor.

        Raises:
            BridgeError: the entries are not to be understood.
        """
        ...

    async def commit(self, write: Write) -> None:
        """Writes records and entries, all or nothing; waits for Kafka as long as that takes.

        Raises:
            Fenced: another process has taken the source over, and nothing was written.
            BridgeError: it can never be written as it is.
        """
