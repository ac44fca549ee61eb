"""Looks at the sandbox and at the topics of the sources, beside the bridge, until the two agree."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
from confluent_kafka import Message

from bridge import config, wiring
from bridge.core.record import Doc
from bridge.demo.holdings import SHOWINGS, Holding, Showing, holding
from bridge.kafka.topic_reader import TopicReader

ROUND_SECONDS = 1.5  # a little more than the time between two rounds of a source
PAGE = 10_000


class Witness:
    """The sandbox never rests, so each look is at what it held a round ago."""

    def __init__(self, settings: config.Settings, api: httpx.AsyncClient) -> None:
        self._api = api
        self._topics = wiring.output_topics(settings)
        self._wires = {name: wiring.output_wire(settings, topic) for name, topic in self._topics.items()}
        kafka = settings.kafka.client_settings()
        self._readers = {name: TopicReader(kafka, self._topics[name].topic) for name in SHOWINGS}
        self._records: dict[str, list[tuple[Message, Doc | None]]] = {name: [] for name in SHOWINGS}

    async def holdings(self, seconds: float) -> dict[str, Holding]:
        """The books of each source: the first that balance, or the last ones after `seconds`."""
        until, found = time.monotonic() + seconds, dict[str, Holding]()
        while True:
            left = [name for name in SHOWINGS if name not in found or not found[name].balanced]
            held = {name: await self._held(SHOWINGS[name]) for name in left}
            await asyncio.sleep(ROUND_SECONDS)
            for name in left:
                records = await asyncio.to_thread(self._on_topic, name)
                found[name] = holding(SHOWINGS[name], held[name], records)
            if all(each.balanced for each in found.values()) or time.monotonic() > until:
                break
        for reader in self._readers.values():
            reader.close()
        return {name: found[name] for name in SHOWINGS}

    async def _held(self, showing: Showing) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        rows: list[dict[str, Any]] = []
        while page := await self._page(showing.content, len(rows)):
            rows += page
        return [
            row for row in rows if "visibleAt" not in row or datetime.fromisoformat(row["visibleAt"]) <= now
        ]

    async def _page(self, content: str, offset: int) -> list[dict[str, Any]]:
        answer = await self._api.get(f"/_sandbox/{content}", params={"offset": offset, "limit": PAGE})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def _on_topic(self, output: str) -> Sequence[tuple[Message, Doc | None]]:
        wire = self._wires[output]
        for message in self._readers[output].news():
            value = message.value()
            self._records[output].append((message, None if value is None else wire.read_one(message, value)))
        return self._records[output]
