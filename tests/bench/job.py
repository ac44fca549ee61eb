"""What crosses in a benchmark: the same events each time, no two alike."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from bridge.kafka.avro_schema import load_schema
from bridge.kafka.topics import load_all
from bridge.kafka.wire_avro import AvroWriter
from tests.bench.least import BATCH_RECORDS


class Format(StrEnum):
    """What an event is as the value of a message."""

    JSON = "json"
    AVRO = "avro"


BEGIN = 1_767_225_600_000  # 2026-01-01
ACTIONS = ("opened_file", "sent_message", "ran_a_report", "signed_in_app", "shared_file")
PEOPLE = 50_000


@dataclass(frozen=True, slots=True)
class Job:
    """So many usage events of so many apps, dealt evenly over the partitions, in turn."""

    events: int
    apps: int
    partitions: int
    format: Format

    @classmethod
    def of_full_batches(cls, events: int, apps: int, partitions: int, format: Format) -> "Job":
        """So many events or a few more: a last batch that is not full would only wait for its age."""
        whole = BATCH_RECORDS * apps
        return cls(-(-events // whole) * whole, apps, partitions, format)

    def values(self) -> Iterator[tuple[int, bytes]]:
        """The partition and the bytes of each event."""
        write = _writer(self.format)
        for number in range(self.events):
            # Divided first, so that every partition has events of every app.
            yield number // self.apps % self.partitions, write(event(number, self.apps))


def event(number: int, apps: int) -> dict[str, Any]:
    """The event with this number, from 0, as it stands on a topic."""
    return {
        "app": f"app-{number % apps:03}",
        "timestamp": BEGIN + number,
        "email": f"person.{number % PEOPLE:05}@example.com",
        "eventName": ACTIONS[number % len(ACTIONS)],
        # Topics carry more than the API wants; the bridge leaves it out. Avro's schema has no such fields.
        "eventId": f"{number:024x}",
        "source": "single-sign-on",
    }


def _writer(format: Format) -> Callable[[dict[str, Any]], bytes]:
    if format is Format.JSON:
        return orjson.dumps
    return AvroWriter(load_schema(load_all()["usage"].schema_path)).write
