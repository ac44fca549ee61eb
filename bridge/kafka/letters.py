"""The dead letters of a stream as one reads them: each once, with why, from where, and what became of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, Message

from bridge.core.errors import BridgeError
from bridge.kafka.decisions import Decisions, Status
from bridge.kafka.journal_entries import headers_of
from bridge.kafka.offset_range import ANSWER_SECONDS, OffsetRange, offset_ranges
from bridge.kafka.origins import Origin, OriginSet
from bridge.kafka.range_reader import range_consumer, read_ranges
from bridge.kafka.topics import Topic

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter: `message` as it stands on its topic, `told` what the bridge put beside it."""

    message: Message
    origin: Origin
    told: Mapping[str, str]
    status: Status

    @property
    def reason(self) -> str:
        """The short code of why, such as `invalid`."""
        return self.told.get("reason", "")

    @property
    def at(self) -> int:
        """When it was put aside, in milliseconds since 1970."""
        return self.message.timestamp()[1]

    @property
    def cut(self) -> bool:
        """Whether its value was too long for the topic, so that only a part of it is there."""
        return "value-bytes" in self.told

    @property
    def place(self) -> str:
        """Where it stands on the dead-letter topic, as `partition:offset`."""
        return f"{self.message.partition()}:{self.message.offset()}"


class DeadLetterBox:
    """The dead letters of one stream, read without a group. `group` says only under whose permissions.

    Where streams share a dead-letter topic, or the stream's topic was another once, it holds letters from
    other topics; they are left out, and `foreign` says how many the last reading met.
    """

    def __init__(self, settings: Mapping[str, Any], group: str, topic: Topic, decisions: Decisions) -> None:
        self._topic = topic
        self._consumer = range_consumer(settings, group)
        self._decisions = decisions
        self.foreign = 0

    def ranges(
        self, begin_ms: int | None = None, end_ms: int | None = None, only: Iterable[OffsetRange] = ()
    ) -> list[OffsetRange]:
        """What there is now: letters put aside at `begin_ms` or later, before `end_ms`, at offsets in `only`.

        Raises:
            BridgeError: the dead-letter topic does not exist, or Kafka does not answer.
        """
        named = self._topic.model_copy(update={"topic": self._topic.dead_letters.topic})
        found = offset_ranges(self._consumer, named, begin_ms, end_ms)
        wanted = list(only)
        if not wanted:
            return found
        return [one.within(each) for one in wanted for each in found if one.partition == each.partition]

    def read(
        self, ranges: Iterable[OffsetRange], on_progress: OnProgress = lambda done, total: None
    ) -> Iterator[Letter]:
        """The letters in these ranges with what was decided about each until now; copies are left out.

        `on_progress` is told how many offsets of how many are done.

        Raises:
            BridgeError: letters of a range are gone, or Kafka does not answer.
        """
        self._decisions.read()
        self.foreign = 0
        ranges = list(ranges)
        seen, before, total = OriginSet(), 0, sum(map(len, ranges))
        for wanted in ranges:
            for piece in read_ranges(self._consumer, self._topic.dead_letters.topic, [wanted]):
                for message in piece.messages:
                    told = headers_of(message)
                    origin = self._origin(told)
                    if origin is None:
                        self.foreign += 1
                    elif seen.add(origin):
                        yield Letter(message, origin, told, self._decisions.status(origin))
                on_progress(before + piece.reached - wanted.begin, total)
            before += len(wanted)

    def partitions(self) -> int:
        """How many partitions the stream's topic has.

        Raises:
            BridgeError: it does not exist, or Kafka does not answer.
        """
        try:
            found = self._consumer.list_topics(timeout=ANSWER_SECONDS).topics.get(self._topic.topic)
        except KafkaException as error:
            raise BridgeError(f"Kafka does not answer: {error.args[0].str()}") from None
        if found is None:
            raise BridgeError(f"topic {self._topic.topic} does not exist, so nothing can go back to it")
        return len(found.partitions)

    def close(self) -> None:
        """Ends the clients."""
        self._consumer.close()
        self._decisions.close()

    def _origin(self, told: Mapping[str, str]) -> Origin | None:
        try:
            origin = Origin(int(told["partition"]), int(told["offset"]), int(told["timestamp"]))
        except (KeyError, ValueError):
            return None
        return origin if told.get("topic") == self._topic.topic else None
