"""An operator's order that a stream may go on which the flood guard has stopped, kept among the decisions.

Its key is `resume:` and the stream's consumer group, so that all processes of the group hear it, and no
decision about dead letters has such a key. Its value is JSON, `{"at", "reason"}`; the time is in milliseconds
since 1970.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from bridge.kafka.fenced_producer import ProducerRecord
from bridge.kafka.topic_reader import TopicReader

PATIENCE_SECONDS = 10.0  # whoever waits for an order asks again soon


def resume_order(topic: str, group: str, reason: str, at: int) -> ProducerRecord:
    """The record of an order; `at` is in milliseconds since 1970."""
    return ProducerRecord(topic, _key(group), orjson.dumps({"at": at, "reason": reason}))


class ResumeOrders:
    """Hears the orders to one group. Which are new is told by the topic's order, as clocks differ."""

    def __init__(self, settings: Mapping[str, Any], topic: str, group: str) -> None:
        self._key = _key(group)
        self._reader = TopicReader(settings, topic, past_open=True, patience=PATIENCE_SECONDS)

    def begin(self) -> None:
        """From here on orders count, all of them if the topic is made later.

        Raises:
            BridgeError: Kafka does not answer.
        """
        if self._reader.exists():
            self._reader.skip()

    def given(self) -> bool:
        """Whether an order came since the last call. Raises BridgeError where Kafka does not answer."""
        if not self._reader.exists():
            return False
        return any(message.key() == self._key and message.value() for message in self._reader.news())

    def close(self) -> None:
        """Ends the clients."""
        self._reader.close()


def _key(group: str) -> bytes:
    return f"resume:{group}".encode()
