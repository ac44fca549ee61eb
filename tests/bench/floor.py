"""The least a Python program can do for this job, as a process: consume a topic and decode its events.

    python -m tests.bench.floor BOOTSTRAP TOPIC FORMAT EVENTS [API_URL]

With an API it also gathers the events by app and posts them by the thousand, one request after the other:
no validation, no books, no retries. The last line of its output is what arrived when, as JSON.
"""

import http.client
import sys
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import fastavro
import orjson
from confluent_kafka import Consumer

from bridge.kafka.avro_schema import load_schema
from bridge.kafka.topics import load_all
from tests.bench.arrivals import Arrivals

CONSUME_RECORDS, CONSUME_SECONDS = 5_000, 0.05  # what the bridge asks for
BATCH_RECORDS = 1_000
QUIET_SECONDS = 60.0  # without a single event for so long, something is wrong
READY = "ready"

Decode = Callable[[bytes], Any]


class Poster:
    """Gathers events by app and posts full batches."""

    def __init__(self, api_url: str) -> None:
        self._http = http.client.HTTPConnection(urlsplit(api_url).netloc)
        self._open: dict[str, list[dict[str, Any]]] = {}

    def add(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            app = event["app"]
            batch = self._open.setdefault(app, [])
            batch.append({name: event[name] for name in ("timestamp", "email", "eventName")})
            if len(batch) == BATCH_RECORDS:
                self._post(app, batch)
                del self._open[app]

    def finish(self) -> None:
        for app, batch in self._open.items():
            self._post(app, batch)

    def _post(self, app: str, batch: list[dict[str, Any]]) -> None:
        self._http.request("POST", f"/apps/{app}", orjson.dumps({"events": batch}))
        with self._http.getresponse() as answer:
            answer.read()
            assert answer.status == 200


def decoder(format: str) -> Decode:
    """What makes an event of a value."""
    if format == "json":
        decode: Decode = orjson.loads
        return decode
    schema = fastavro.parse_schema(_plain(load_schema(load_all()["usage"].schema_path)))
    return lambda value: fastavro.schemaless_reader(BytesIO(value), schema, None)


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without logical types, as the API wants a number and fastavro would build a datetime."""
    fields = [
        {**field, "type": field["type"]["type"]} if isinstance(field["type"], dict) else field
        for field in schema["fields"]
    ]
    return {**schema, "fields": fields}


def consume(consumer: Consumer, decode: Decode, events: int, poster: Poster | None) -> Arrivals:
    """The loop itself."""
    arrivals = Arrivals()
    quiet_until = time.monotonic() + QUIET_SECONDS
    while arrivals.events < events:
        messages = consumer.consume(CONSUME_RECORDS, CONSUME_SECONDS)
        if not messages:
            assert time.monotonic() < quiet_until, "no more events come"
            continue
        decoded = [decode(message.value() or b"") for message in messages]
        if poster is not None:
            poster.add(decoded)
        arrivals.note(len(decoded))
        quiet_until = time.monotonic() + QUIET_SECONDS
    if poster is not None:
        poster.finish()
    return arrivals


def main(bootstrap: str, topic: str, format: str, events: str, api_url: str = "") -> None:
    """Runs it once."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"floor-{topic}-{api_url}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    print(READY, flush=True)
    consumer.subscribe([topic])
    arrivals = consume(consumer, decoder(format), int(events), Poster(api_url) if api_url else None)
    consumer.close()
    print(arrivals.to_json().decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
