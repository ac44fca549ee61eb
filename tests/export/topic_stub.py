"""A topic in memory that answers as a consumer does, and what the export tests put there."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from bridge.export.app_files import FileLimits
from bridge.export.export import Job
from bridge.export.moment import Moment
from bridge.export.rows import FileFormat
from tests.kafka.records import GOOD, USAGE, usage_topic

NAME = "productiv.usage"


def event(number: int, app: str = "crm") -> dict[str, Any]:
    """The usage event with this number."""
    return {**GOOD, "timestamp": 1_700_000_000_000 + number, "app": app}


def message(value: bytes | None, partition: int, offset: int, ms: int, topic: str = NAME) -> Message:
    return Message(topic=topic, partition=partition, offset=offset, value=value, timestamp=(1, ms))


def values(*records: Any) -> list[bytes]:
    return [each if isinstance(each, bytes) else orjson.dumps(each) for each in records]


class StubConsumer:
    """Partitions of values, their offsets from 0 and their times from 0 ms on in steps of one."""

    def __init__(self, *partitions: Sequence[bytes | None]) -> None:
        self._messages = [
            [message(value, number, offset, offset) for offset, value in enumerate(held)]
            for number, held in enumerate(partitions)
        ]
        self._at = (0, 0)

    def list_topics(self, **_: Any) -> Any:
        topic = SimpleNamespace(error=None, partitions=dict.fromkeys(range(len(self._messages))))
        return SimpleNamespace(topics={NAME: topic})

    def get_watermark_offsets(self, part: TopicPartition, **_: Any) -> tuple[int, int]:
        return 0, len(self._messages[part.partition])

    def offsets_for_times(self, parts: list[TopicPartition], **_: Any) -> list[TopicPartition]:
        return [
            TopicPartition(
                each.topic,
                each.partition,
                each.offset if each.offset < len(self._messages[each.partition]) else -1,
            )
            for each in parts
        ]

    def assign(self, parts: list[TopicPartition]) -> None:
        self._at = (parts[0].partition, parts[0].offset)

    def consume(self, count: int, _: float) -> list[Message]:
        partition, offset = self._at
        polled = self._messages[partition][offset : offset + count]
        self._at = (partition, offset + len(polled))
        return polled or [end_of(partition, offset)]


def end_of(partition: int, offset: int) -> Message:
    """What librdkafka says at the end of a partition."""
    error = KafkaError(KafkaError._PARTITION_EOF)
    return Message(topic=NAME, partition=partition, offset=offset, error=error)


def consumer(*partitions: Sequence[bytes | None]) -> Consumer:
    return cast(Consumer, StubConsumer(*partitions))


def job(output: Path, **changes: Any) -> Job:
    """An export of everything as NDJSON."""
    chosen: dict[str, Any] = {
        "stream": USAGE,
        "topic": usage_topic(),
        "begin": Moment(0),
        "end": Moment(10**12),
        "output": output,
        "file_format": FileFormat.NDJSON,
        "limits": FileLimits(1000, 10**9),
    }
    return Job(**chosen | changes)
