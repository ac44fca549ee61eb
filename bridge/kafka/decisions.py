"""What was decided about dead letters, remembered in a compacted topic for ever.

A message stands for up to 1000 letters that were decided about together. Its key is
`dead-letter topic/stream's topic/milliseconds/partition/offset`, the last two of the first of them; its value
is JSON, `{"action", "reason", "at", "records"}` with partition, offset and Kafka timestamp of each on the
stream's topic. A letter is known by these, not by its place on the dead-letter topic: after a crash of the
bridge it may stand there once more, also later than the decision.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson

from bridge.core.errors import BridgeError
from bridge.kafka.fenced_producer import ProducerRecord
from bridge.kafka.origins import Origin, OriginSet
from bridge.kafka.topic_reader import TopicReader


class Status(StrEnum):
    """Where a dead letter is in its life."""

    WAITING = "waiting"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class Decisions:
    """The decisions about the dead letters of one stream; `letters` is their topic, `origin` the stream's."""

    def __init__(self, settings: Mapping[str, Any], topic: str, letters: str, origin: str) -> None:
        self._topic = topic
        self._prefix = f"{letters}/{origin}/"
        self._reader = TopicReader(settings, topic, past_open=True)
        self._decided = {Status.REPLAYED: OriginSet(), Status.DISCARDED: OriginSet()}

    def read(self) -> None:
        """Learns what was decided since the last call. A topic that does not exist yet holds nothing.

        Raises:
            BridgeError: Kafka does not answer, or the topic holds something else.
        """
        for message in self._reader.news() if self._reader.exists() else ():
            if (message.key() or b"").startswith(self._prefix.encode()):
                self._note(message.value() or b"", f"partition {message.partition()}, {message.offset()}")

    def check(self) -> None:
        """Makes sure that there is something to remember in: a topic that the broker makes would forget.

        Raises:
            BridgeError: the topic does not exist, or Kafka does not answer.
        """
        if not self._reader.exists():
            raise BridgeError(
                f"topic {self._topic} does not exist; create it with cleanup.policy=compact, or set "
                "kafka.create_topics"
            )

    def status(self, origin: Origin) -> Status:
        """What was decided about a letter, as far as it was read."""
        return next((status for status, those in self._decided.items() if origin in those), Status.WAITING)

    def record(self, status: Status, origins: Sequence[Origin], reason: str, at: int) -> ProducerRecord:
        """The record of a decision about these letters, at least one; `at` is in milliseconds since 1970."""
        key = f"{self._prefix}{at}/{origins[0].partition}/{origins[0].offset}"
        value = {"action": status, "reason": reason, "at": at, "records": origins}
        return ProducerRecord(self._topic, key.encode(), orjson.dumps(value, default=list))

    def close(self) -> None:
        """Ends the client."""
        self._reader.close()

    def _note(self, value: bytes, where: str) -> None:
        try:
            told = orjson.loads(value)
            decided = self._decided[told["action"]]
            for record in told["records"]:
                decided.add(Origin(*record))
        except (ValueError, TypeError, KeyError):
            raise BridgeError(
                f"topic {self._topic}, offset {where}: this is no decision; name another topic in "
                "kafka.decisions_topic"
            ) from None
