"""What becomes of a batch once its outcome is known, where it does not go again."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bridge.core.batcher import Batch
from bridge.core.offsets import Hold
from bridge.core.outcome import InDoubt, Rejected
from bridge.core.record import Refused


@dataclass(frozen=True, slots=True)
class Settle:
    """The API has these records."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class Bury:
    """These records will never be delivered: they belong in the dead-letter topic, and are settled there.

    `batch` is what the API rejected of a batch; None for records that were never sent.
    """

    hold: Hold
    refused: list[Refused]
    batch: Batch | None = None

    @property
    def bytes(self) -> int:
        """Bytes of their values on the topic, kept in memory until the dead-letter topic has them."""
        return sum(len(one.origin.value() or b"") for one in self.refused)

    def owned(self) -> "Bury":
        """The same without records of partitions given up since: their next owner judges those."""
        refused = [one for one in self.refused if one.origin.partition() in self.hold.parts]
        return replace(self, refused=refused)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Nobody knows whether the API took this batch: it belongs on the in-doubt topic and is settled there."""

    batch: Batch
    refused: list[Refused]


Verdict = Settle | Bury | Doubt


def bury(batch: Batch, reasons: Iterable[str], outcome: Rejected) -> Bury:
    """Every record of a batch that the API rejected; `reasons` has one for each, in their order."""
    # Records of partitions given up since are left to the next owner, or they would be buried twice.
    owned = batch.hold.parts
    refused = [
        Refused(
            origin=origin,
            reason="rejected",
            detail=reason,
            status=outcome.status,
            excerpt=outcome.excerpt,
            attempts=batch.attempts,
            batch_id=batch.id,
        )
        for origin, reason in zip(batch.origins, reasons, strict=True)
        if origin.partition() in owned
    ]
    return Bury(batch.hold, refused, batch)


def doubt(batch: Batch, outcome: InDoubt) -> Doubt:
    """Every record of a batch, to be put aside; `outcome` says why."""
    refused = [
        Refused(
            origin=origin,
            reason="in_doubt",
            detail=outcome.reason,
            status=outcome.status,
            attempts=batch.attempts,
            batch_id=batch.id,
        )
        for origin in batch.origins
    ]
    return Doubt(batch, refused)
