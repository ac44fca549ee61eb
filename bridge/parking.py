"""Parks apps that have failed for too long: their records go to the parking topic until it is delivered."""

from collections.abc import Callable, Collection

import structlog

from bridge.core.batcher import Batch
from bridge.core.engine import Engine
from bridge.core.ports import ParkingTopic
from bridge.delivery import Delivery

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0


class ParkedApps:
    """Keeps what an engine knows of parked apps true to the parking topic. `clock` is monotonic seconds."""

    def __init__(
        self,
        stream: str,
        engine: Engine,
        topic: ParkingTopic,
        delivery: Delivery,
        clock: Callable[[], float],
    ) -> None:
        self._stream = stream
        self._engine = engine
        self._topic = topic
        self._delivery = delivery
        self._clock = clock
        self._next_look = 0.0
        self._looking = False
        self._said: set[str] = set()

    async def fence(self, partitions: Collection[int]) -> None:
        """From here on earlier owners of these partitions park nothing more."""
        await self._topic.fence(partitions)

    async def learn(self, partitions: Collection[int]) -> None:
        """Learns what they parked."""
        for app, last in (await self._topic.left(partitions)).items():
            self._engine.park(app, last)

    async def park(self, batch: Batch) -> list[int]:
        """Writes a batch and settles it. Returns the partitions that belong to another process by now."""
        self._tell()
        written = await self._delivery.park(batch, self._topic)
        lost = [partition for partition in written.fenced if partition in batch.hold.parts]
        if lost:
            self._engine.give_up(lost)
        self._engine.parked(batch, written.last, self._clock())
        return lost

    @property
    def due(self) -> bool:
        """Whether to `look`: from time to time, while anything is parked."""
        return bool(self._engine.parking.apps) and not self._looking and self._clock() >= self._next_look

    async def look(self) -> None:
        """Sends the records of apps straight again of which nothing is left on the parking topic."""
        self._looking = True
        self._tell()
        try:
            committed = await self._topic.committed(self._engine.parking.partitions)
            for app in self._engine.parking.delivered(committed, self._clock()):
                await self._topic.forget(app)
                if self._engine.unpark(app):
                    self._said.discard(app)
                    log.info("app_unparked", stream=self._stream, app=app)
        finally:
            self._looking = False
            self._next_look = self._clock() + LOOK_SECONDS

    def _tell(self) -> None:
        for app in self._engine.parking.apps:
            if app not in self._said:
                self._said.add(app)
                log.warning("app_parked", stream=self._stream, app=app)
