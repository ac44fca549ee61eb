"""What the tests of this folder share: messages, topics and records of the usage stream."""

from collections.abc import Sequence
from typing import Any

import orjson
from confluent_kafka import Message

from bridge.core.record import Decoded
from bridge.kafka import serde, topics
from bridge.kafka.topics import Topic
from bridge.streams import SINKS

USAGE = SINKS["usage"]
GOOD = {
    "timestamp": 1_700_000_000_000,
    "email": "ada@example.com",
    "eventName": "document.opened",
    "app": "slack",
}
GOOD_DOC = {key: value for key, value in GOOD.items() if key != "app"}


def usage_topic(**changes: Any) -> Topic:
    """The usage topic, with these keys of its description changed."""
    return topics.overridden(topics.load_all()["usage"], {"format": "json", **changes})


def message(value: bytes | None, offset: int = 0, key: bytes | None = None, headers: Any = None) -> Message:
    return Message(topic="productiv.usage", partition=0, offset=offset, key=key, value=value, headers=headers)


def messages(values: Sequence[bytes | None]) -> list[Message]:
    return [message(value, offset) for offset, value in enumerate(values)]


def json_values(*records: object) -> list[bytes]:
    return [orjson.dumps(record) for record in records]


def decode(values: Sequence[bytes | None], **options: Any) -> Decoded:
    """Decodes values of the usage topic as JSON."""
    return serde.decoder(USAGE, usage_topic(), **options).decode(messages(values))


def refusals(decoded: Decoded) -> list[tuple[int | None, str, str]]:
    return [(each.origin.offset(), each.reason, each.detail) for each in decoded.refused]
