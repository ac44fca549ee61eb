"""Where one source's records go: its topics, and its cursor in the same transaction."""

import asyncio
from collections.abc import Callable

import structlog

from bridge.core.polling import Json, Write
from bridge.kafka.cursors import CursorStore
from bridge.kafka.emitting import Emitter
from bridge.kafka.fenced_producer import ProducerRecord
from bridge.kafka.refusal import SchemaRegistryUnavailable

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0


class KafkaSourceStore:
    """One source as `bridge.core.ports.SourceStore`. `wall` gives seconds since 1970."""

    def __init__(
        self, source: str, cursors: CursorStore, emitter: Emitter, wall: Callable[[], float]
    ) -> None:
        self._source = source
        self._cursors = cursors
        self._emitter = emitter
        self._wall = wall

    async def take_over(self) -> dict[str, Json]:
        """Ends the writer of an earlier owner, then reads the cursor; tries for as long as that takes.

        Raises:
            CursorUnusable: it is not where it should be, or not readable.
        """
        return await self._cursors.take_over(self._source)

    async def commit(self, write: Write) -> None:
        """Writes records and entries, all or nothing; waits for Kafka and registry as long as that takes.

        Raises:
            Fenced: another process has taken the source over, and nothing was written.
            BridgeError: it can never be written as it is.
        """
        await self._cursors.write(self._source, await self._records(write), write.remember)

    async def _records(self, write: Write) -> list[ProducerRecord]:
        while True:
            try:
                # In a thread, as a schema that is new means a request to the registry.
                return await asyncio.to_thread(self._emitter.records, write, int(self._wall() * 1000))
            except SchemaRegistryUnavailable as error:
                log.warning("schema_registry_unavailable", stream=self._source, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
