"""Makes Kafka messages of what a source writes."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from bridge.core.errors import SchemaError
from bridge.core.polling import Emission, Write
from bridge.core.record import Doc
from bridge.kafka.fenced_producer import ProducerRecord
from bridge.kafka.serde import Wire
from bridge.kafka.topics import OutputTopic

Headers = list[tuple[str, str | bytes | None]]


class Emitter:
    """The messages of one source: `topics` and `wires` by the names of its outputs.

    `trace` gives the headers that say which trace a write belongs to.

    A message bears as its time when the thing happened. Where that is not known, before 1970, or in the
    future, which brokers refuse, it is when the API was asked.
    """

    def __init__(
        self,
        source: str,
        contract: str,
        topics: Mapping[str, OutputTopic],
        wires: Mapping[str, Wire],
        trace: Callable[[], Headers] = list,
    ) -> None:
        self._source = source
        self._contract = contract
        self._topics = topics
        self._wires = wires
        self._trace = trace

    def records(self, write: Write, fetched_at: int) -> list[ProducerRecord]:
        """The messages of a write; `fetched_at` is when the API was asked, in milliseconds since 1970.

        May ask a schema registry and wait for it, the first time.

        Raises:
            SchemaError: a record does not fit the schema of its topic, or the registry refuses that.
            SchemaRegistryUnavailable: the registry does not answer; try again later.
        """
        headers = self._headers(write.window, fetched_at)
        return [self._record(emission, headers, fetched_at) for emission in write.emissions]

    def _record(self, emission: Emission, headers: Headers, fetched_at: int) -> ProducerRecord:
        at = emission.at
        return ProducerRecord(
            topic=self._topics[emission.output].topic,
            key=emission.key.encode(),
            value=None if emission.doc is None else self._value(emission.output, emission.doc),
            headers=headers,
            timestamp=at if at is not None and 0 < at < fetched_at else fetched_at,
        )

    def _value(self, output: str, doc: Doc) -> bytes:
        try:
            return self._wires[output].write(doc)
        except (TypeError, ValueError):  # whose words would quote the record
            topic = self._topics[output]
            raise SchemaError(
                f"a record for topic {topic.topic} does not fit its schema {topic.schema_path}; if that is "
                "your own, let every field be null, and have the types of the one shipped here"
            ) from None

    def _headers(self, window: tuple[int, int] | None, fetched_at: int) -> Headers:
        told = {
            "source": self._source,
            "window": window and f"{_time(window[0])}/{_time(window[1])}",
            "fetched-at": _time(fetched_at),
            "contract": self._contract,
        }
        own: Headers = [(f"bridge.{name}", text.encode()) for name, text in told.items() if text]
        return own + self._trace()


def _time(milliseconds: int) -> str:
    """In ISO 8601 and UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
