"""Arroyo: decode and gather with `Reduce`, post in one task, commit with `CommitOffsets`.

Its tasks can also run in several processes; this is one, as all others here are.
"""

import signal
from collections.abc import Mapping
from typing import Any

from arroyo.backends.kafka import KafkaConsumer
from arroyo.backends.kafka.configuration import build_kafka_consumer_configuration
from arroyo.processing.processor import StreamProcessor
from arroyo.processing.strategies import CommitOffsets, ProcessingStrategyFactory, Reduce, RunTask
from arroyo.types import Topic

from tests.bench.least import BATCH_SECONDS, FETCHING, Event, Poster, decoder
from tests.bench.peers.arguments import Arguments, arguments

# librdkafka's own default instead of Arroyo's 10,000, so that it need not be asked as often.
QUEUED_MIN_MESSAGES = 100_000


class Strategy(ProcessingStrategyFactory):  # type: ignore[misc]  # untyped where it is not installed
    """Made anew for each assignment of partitions."""

    def __init__(self, told: Arguments) -> None:
        self._gather = told.gather
        self._decode = decoder(told.format)
        self._poster = Poster(told.api_url)

    def create_with_partitions(self, commit: Any, partitions: Mapping[Any, int]) -> Any:
        """The steps, last to first."""
        post = RunTask(self._post, CommitOffsets(commit))
        return Reduce(self._gather, BATCH_SECONDS, self._gathered, list, post)

    def _gathered(self, events: list[Event], message: Any) -> list[Event]:
        events.append(self._decode(message.payload.value))
        return events

    def _post(self, message: Any) -> None:
        self._poster.add(message.payload)
        self._poster.flush()


def main() -> None:
    """Runs until SIGTERM."""
    told = arguments()
    settings = build_kafka_consumer_configuration(
        {"bootstrap.servers": told.bootstrap},
        group_id=told.group,
        auto_offset_reset="earliest",
        queued_min_messages=QUEUED_MIN_MESSAGES,
    )
    settings.update(FETCHING)
    processor = StreamProcessor(KafkaConsumer(settings), Topic(told.topic), Strategy(told))
    signal.signal(signal.SIGTERM, lambda *_: processor.signal_shutdown())
    processor.run()


if __name__ == "__main__":
    main()
