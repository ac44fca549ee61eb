"""The batches of an engine: one full of them, those that may go now, and what is in them."""

from bridge.core.batcher import Batch
from bridge.core.engine import Engine
from bridge.core.outcome import Rejected, Unavailable
from bridge.core.verdicts import Bury
from tests.core.records import engine, limits, run_of

DOWN = Unavailable("connection refused")
BAD = Rejected(400, "bad request")


def filled(
    apps: str = "a",
    batches: int = 1,
    size: int = 1,
    in_flight: int = 16,
    in_flight_per_lane: int = 4,
    start: int | None = None,
) -> Engine:
    """An engine with so many closed batches of each app."""
    made = engine(limits(size, in_flight=in_flight, in_flight_per_lane=in_flight_per_lane, start=start))
    for nth, app in enumerate(apps):
        made.receive(run_of(batches * size, app, start=1000 * nth), 0.0)
    return made


def taken(made: Engine, now: float = 0.0) -> list[Batch]:
    """All batches that may go now."""
    batches = []
    while (batch := made.take(now)) is not None:
        batches.append(batch)
    return batches


def one(made: Engine, now: float = 0.0) -> Batch:
    """The one batch that may go now."""
    [batch] = taken(made, now)
    return batch


def ids(batch: Batch) -> list[int]:
    return [doc["id"] for doc in batch.docs]


def places(bury: Bury | None) -> list[int]:
    """The offsets that are to be dead-lettered."""
    assert bury is not None
    return [one.origin.offset() or 0 for one in bury.refused]
