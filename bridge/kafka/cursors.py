"""The cursors of the sources, for the event loop."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, TypeVarTuple

import structlog

from bridge.core.errors import BridgeError
from bridge.core.polling import Json
from bridge.kafka.cursor_topic import CursorTopic, CursorUnusable
from bridge.kafka.fenced_producer import ProducerRecord

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
THREADS = 4  # sources that write or are taken over at once


class CursorStore:
    """The cursors of the sources of one process: each call waits in a thread, for as long as Kafka takes.

    `group` begins the transactional ids, so all replicas of a bridge must have the same.
    """

    def __init__(self, settings: Mapping[str, Any], topic: str, group: str) -> None:
        self._topic = CursorTopic(settings, topic, group)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="cursors")

    async def partitions(self) -> int:
        """How many partitions the topic has; raises BridgeError as `CursorTopic.partitions` does."""
        return await self._call(self._topic.partitions)

    async def take_over(self, source: str) -> dict[str, Json]:
        """Ends an earlier owner of the source, then reads what it left; tries for as long as that takes.

        Raises:
            CursorUnusable: it is not where it should be, or not readable.
        """
        while True:
            try:
                return await self._call(self._topic.take_over, source)
            except CursorUnusable:
                raise
            except BridgeError as error:
                log.warning("cursor_not_read", stream=source, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def write(
        self, source: str, records: Sequence[ProducerRecord], remember: Mapping[str, Json | None]
    ) -> None:
        """Returns once records and entries are committed; tries for as long as that takes.

        Raises:
            Fenced, BridgeError: as `CursorTopic.write` does.
        """
        while (error := await self._call(self._topic.write, source, records, remember)) is not None:
            log.warning("cursor_not_written", stream=source, error=error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _call(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
