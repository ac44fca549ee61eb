"""Records, engines and limits for the tests of the core."""

from dataclasses import dataclass
from typing import TypedDict

from bridge.core.backoff import Backoff
from bridge.core.batcher import BatchLimits
from bridge.core.engine import Engine, EngineLimits
from bridge.core.flood_guard import FloodLimits
from bridge.core.record import Decoded, Refused
from bridge.core.sender import SendLimits
from bridge.core.stream import Operation, SinkStream


class Thing(TypedDict):
    id: int


STREAM = SinkStream(
    name="things",
    operation=Operation.PUBLISH_USAGE_EVENTS,
    record=Thing,
    identity=("id",),
    resend_safe=True,
)
NO_GUARD = FloodLimits(consecutive=None, share=None, window=1)


@dataclass(frozen=True)
class At:
    """Stands for a Kafka message of ten bytes, and where it was."""

    place: tuple[int, int]

    def partition(self) -> int:
        return self.place[0]

    def offset(self) -> int:
        return self.place[1]

    def value(self) -> bytes:
        return b"0123456789"

    def timestamp(self) -> tuple[int, int]:
        return (0, 0)


def limits(
    max_records: int = 1000,
    max_bytes: int = 10**6,
    max_age: float = 5.0,
    in_flight: int = 16,
    in_flight_per_lane: int = 4,
    start: int | None = None,
    flood: FloodLimits = NO_GUARD,
    max_outstanding_records: int = 10**6,
    max_outstanding_bytes: int = 10**9,
    park_after: float | None = None,
    partitions_apart: bool = False,
) -> EngineLimits:
    return EngineLimits(
        batch=BatchLimits(max_records, max_bytes, max_age),
        send=SendLimits(in_flight, in_flight_per_lane, Backoff(1.0, 60.0), start=start or in_flight),
        flood=flood,
        max_outstanding_records=max_outstanding_records,
        max_outstanding_bytes=max_outstanding_bytes,
        park_after=park_after,
        partitions_apart=partitions_apart,
    )


def engine(engine_limits: EngineLimits | None = None, partitions: tuple[int, ...] = (0,)) -> Engine:
    made = Engine(STREAM, "things", engine_limits or limits(), draw=lambda: 0.0)
    made.offsets.assign(partitions)
    return made


def decoded(*records: tuple[int, int, str, int], refused: tuple[tuple[int, int], ...] = ()) -> Decoded:
    """Records as (partition, offset, app, id), and places of refused ones."""
    return Decoded(
        origins=[At((partition, offset)) for partition, offset, _, _ in records],
        apps=[app for _, _, app, _ in records],
        docs=[{"id": identity} for *_, identity in records],
        sizes=[10 for _ in records],
        refused=[Refused(At(place), "invalid", "it is wrong") for place in refused],
    )


def run_of(count: int, app: str = "a", start: int = 0, partition: int = 0) -> Decoded:
    """So many distinct records of one app, one after the other on one partition."""
    return decoded(*((partition, start + n, app, start + n) for n in range(count)))


def noise(count: int, start: int = 0) -> Decoded:
    """So many records that do not decode."""
    return decoded(refused=tuple((0, start + n) for n in range(count)))
