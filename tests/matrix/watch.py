"""What there is at one moment: committed offsets, what the API holds, what was put aside."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.matrix.api import Api
from tests.matrix.oracle import Seen
from tests.matrix.records import Place

KAFKA_SECONDS = 30.0
RETRY_SECONDS = 0.1

T = TypeVar("T")


class Watch:
    """Eyes on one cell. `topics` and `groups` are by stream, each topic with so many `partitions`."""

    def __init__(
        self,
        bootstrap: str,
        topics: Mapping[str, str],
        groups: Mapping[str, str],
        partitions: int,
        dead: str,
        in_doubt: str,
        api: Api,
    ) -> None:
        self._topics = topics
        self._partitions = partitions
        self._dead, self._in_doubt = dead, in_doubt
        self._api = api
        settings = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._groups = {stream: Consumer({**settings, "group.id": group}) for stream, group in groups.items()}
        self._aside: dict[str, list[Place]] = {dead: [], in_doubt: []}
        self._reader = Consumer({**settings, "group.id": "the-matrix"})
        self._reader.assign([TopicPartition(topic, 0, 0) for topic in self._aside])

    def close(self) -> None:
        """Closes the connections."""
        for consumer in (*self._groups.values(), self._reader):
            consumer.close()

    def seen(self) -> Seen:
        """What there is now. Offsets come first: what is before them must be settled in all that follows."""
        committed = self.committed()
        aside = self._set_aside()
        return Seen(
            committed,
            usage=list(self._api.content("events")),
            spend=[(app, item["record"]) for app, item in self._api.content("spend")],
            users={(app, user["email"]): user for app, user in self._api.content("users")},
            dead=aside[self._dead],
            in_doubt=aside[self._in_doubt],
        )

    def committed(self) -> dict[tuple[str, int], int]:
        """The offsets committed by stream and partition; nothing for those that have none yet."""
        return {
            (stream, part.partition): part.offset
            for stream in self._topics
            for part in self._committed_of(stream)
            if part.offset >= 0
        }

    def set_back(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commits these offsets for the groups, which must have no member."""
        for stream, consumer in self._groups.items():
            parts = [TopicPartition(self._topics[s], p, at) for (s, p), at in offsets.items() if s == stream]
            consumer.commit(offsets=parts, asynchronous=False)

    def _committed_of(self, stream: str) -> list[TopicPartition]:
        parts = [TopicPartition(self._topics[stream], number) for number in range(self._partitions)]
        return self._patiently(lambda: self._groups[stream].committed(parts, timeout=KAFKA_SECONDS))

    def _set_aside(self) -> dict[str, Counter[Place]]:
        """What stands on the dead-letter and the in-doubt topic."""
        while self._reader_is_behind():
            for message in self._reader.consume(1000, 0.05):
                topic: Any = message.topic()
                if message.error() is not None:
                    raise KafkaException(message.error())
                self._aside[topic].append(self._origin(message))
        return {topic: Counter(places) for topic, places in self._aside.items()}

    def _reader_is_behind(self) -> bool:
        # Asked with a client that fetches nothing: the question would wait behind the fetch.
        ask = self._groups["usage"].get_watermark_offsets
        return any(
            len(read) < self._patiently(partial(ask, TopicPartition(topic, 0), KAFKA_SECONDS))[1]
            for topic, read in self._aside.items()
        )

    def _origin(self, message: Any) -> Place:
        told = {name: value.decode() for name, value in message.headers() or []}
        streams = {topic: stream for stream, topic in self._topics.items()}
        stream = streams.get(told["bridge.topic"], told["bridge.topic"])
        return stream, int(told["bridge.partition"]), int(told["bridge.offset"])

    def _patiently(self, ask: Callable[[], T]) -> T:
        """What Kafka answers: a broker that has just started knows its groups and topics a little later."""
        until = time.monotonic() + KAFKA_SECONDS
        while True:
            try:
                return ask()
            except KafkaException:
                if time.monotonic() > until:
                    raise
            time.sleep(RETRY_SECONDS)
            with suppress(KafkaException):  # the client learns anew who leads what
                self._groups["usage"].list_topics(timeout=KAFKA_SECONDS)
