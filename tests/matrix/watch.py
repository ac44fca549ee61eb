"""What there is at one moment: committed offsets, what the API holds, what was put aside."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tests.flows.process import eventually
from tests.matrix.api import Api
from tests.matrix.oracle import Seen
from tests.matrix.records import Place

KAFKA_SECONDS = 30.0
ANSWER_SECONDS, READ_SECONDS = 5.0, 20.0
BROKER_SECONDS = 120.0
"""So long a broker may be away that starts again on a machine that has much to do."""
PARKED = ".parked"

Asked = TypeVar("Asked")


class Watch:
    """Eyes on one cell. `topics` and `groups` are by stream, also `usage.parked`, with `partitions` each."""

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
        # Asked anew who leads, as the bridge does: a broker just started may have said that nobody does.
        self._settings = {
            "bootstrap.servers": bootstrap,
            "log_level": 0,
            "topic.metadata.refresh.interval.ms": 5000,
        }
        self._group_ids = groups
        self._lock = threading.RLock()  # on the clients, as a soak measures beside what it does
        self._parked = {topic: stream for stream, topic in topics.items() if stream.endswith(PARKED)}
        parts = [(dead, 0), (in_doubt, 0), *((topic, p) for topic in self._parked for p in range(partitions))]
        self._read = dict.fromkeys(parts, 0)
        self._aside: dict[tuple[str, int, int], Place] = {}
        self._connect()

    def _connect(self) -> None:
        self._groups = {
            stream: Consumer({**self._settings, "group.id": group})
            for stream, group in self._group_ids.items()
        }
        # Asked where topics end behind transactions that are open.
        self._behind = Consumer(
            {**self._settings, "group.id": "the-matrix", "isolation.level": "read_uncommitted"}
        )
        # Tells of ends that are marks of transactions.
        self._reader = Consumer({**self._settings, "group.id": "the-matrix", "enable.partition.eof": True})
        self._reader.assign([TopicPartition(*part, at) for part, at in self._read.items()])

    def _connect_anew(self) -> None:
        """As a client may have lost all brokers for good when the only one went (`bridge.kafka.lifeline`)."""
        self.close()
        self._connect()

    def close(self) -> None:
        """Closes the connections."""
        for consumer in (*self._groups.values(), self._behind, self._reader):
            consumer.close()

    def seen(self) -> Seen:
        """What there is now. Offsets come first: what is before them must be settled in all that follows."""
        committed = self.committed()
        hidden = self._read_aside()
        placed = self._aside.items()
        kinds = ("users", "org-chart") if "org_chart" in self._topics else ("users",)
        return Seen(
            committed,
            usage=list(self._api.content("events")),
            spend=[(app, item["record"]) for app, item in self._api.content("spend")],
            users={(app, user["email"]): user for kind in kinds for app, user in self._api.content(kind)},
            dead=Counter(place for (topic, *_), place in placed if topic == self._dead),
            in_doubt=Counter(place for (topic, *_), place in placed if topic == self._in_doubt),
            parked={(self._parked[t], p, o): place for (t, p, o), place in placed if t in self._parked},
            hidden=hidden,
        )

    def committed(self) -> dict[tuple[str, int], int]:
        """The offsets committed by stream and partition; nothing for those that have none yet."""
        return {
            (stream, part.partition): part.offset
            for stream in self._topics
            for part in self._committed_of(stream)
            if part.offset >= 0
        }

    def end(self, topic: str, partition: int) -> int:
        """The offset of the next record to come."""
        return self._patiently(lambda: self._range((topic, partition))[1])

    def parked_left(self) -> int:
        """How many of the records seen on the parking topics nobody has deleted."""
        begins = self._patiently(lambda: {part: self._range(part)[0] for part in self._read})
        return sum(place[2] >= begins[place[:2]] for place in self._aside if place[0] in self._parked)

    def set_back(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commits these offsets for the groups, which must have no member."""
        for stream in self._group_ids:
            parts = [TopicPartition(self._topics[s], p, at) for (s, p), at in offsets.items() if s == stream]
            if parts:
                self._patiently(partial(self._commit, stream, parts))

    def _commit(self, stream: str, parts: list[TopicPartition]) -> None:
        self._groups[stream].commit(offsets=parts, asynchronous=False)

    def _committed_of(self, stream: str) -> list[TopicPartition]:
        parts = [TopicPartition(self._topics[stream], number) for number in range(self._partitions)]
        return self._patiently(lambda: self._groups[stream].committed(parts, timeout=ANSWER_SECONDS))

    def _read_aside(self) -> bool:
        """Reads what stands on the dead-letter, the in-doubt and the parking topics by now.

        Returns whether there may be more of that: a transaction that is open hides what is behind it.
        """
        last = self._patiently(lambda: {part: self._range(part, self._behind)[1] for part in self._read})
        ends = self._patiently(lambda: {part: self._range(part)[1] for part in self._read})
        until = time.monotonic() + READ_SECONDS
        while any(at < ends[part] for part, at in self._read.items()):
            if time.monotonic() > until:
                with self._lock:
                    self._connect_anew()
                until = time.monotonic() + READ_SECONDS
            for message in self._reader.consume(1000, 0.05):
                place: Any = (message.topic(), message.partition(), message.offset())
                error = message.error()
                if error is None:
                    self._aside[place] = self._origin(message)
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                self._read[place[:2]] = place[2] + (error is None)
        return any(ends[part] < last[part] for part in last)

    def _range(self, part: tuple[str, int], asked: Consumer | None = None) -> tuple[int, int]:
        # Asked with a client that fetches nothing: the question would wait behind the fetch.
        client = asked or self._groups["usage"]
        return client.get_watermark_offsets(TopicPartition(*part), ANSWER_SECONDS)

    def _origin(self, message: Any) -> Place:
        told = {name: value.decode() for name, value in message.headers() or []}
        streams = {topic: stream for stream, topic in self._topics.items()}
        stream = streams.get(told["bridge.topic"], told["bridge.topic"])
        return stream, int(told["bridge.partition"]), int(told["bridge.offset"])

    def _patiently(self, ask: Callable[[], Asked]) -> Asked:
        """Asks until there is an answer: a broker that has just started does not know its groups yet, and one
        waits for a member that was killed.
        """
        answers: list[Asked] = []

        def answered() -> bool:
            try:
                answers.append(ask())
            except KafkaException:
                self._connect_anew()
            return bool(answers)

        with self._lock:
            eventually(answered, "the broker answers", BROKER_SECONDS)
        return answers[0]
