"""The least that the job asks of a Python program: decode an event, gather by app, post by the thousand.

The floor and all peers that are written in Python share it, so that none is faster or slower by its HTTP
client or its decoder. Needs orjson and fastavro and nothing of the bridge, as peers run in environments of
their own.
"""

import http.client
import json
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fastavro
import orjson

SCHEMA = Path(__file__).parents[2] / "schemas" / "usage.avsc"
BATCH_RECORDS = 1_000
BATCH_SECONDS = 5.0  # how long a batch may wait to be full; as the bridge's max_age_seconds by default
# For all who use librdkafka, as the bridge does: by default it fetches nothing more of a partition for a
# whole second once enough of it is there, and who is quicker than that waits.
FETCHING = {"fetch.queue.backoff.ms": 20}
FIELDS = ("timestamp", "email", "eventName")  # what the API takes; topics carry more

Event = dict[str, Any]
Decode = Callable[[bytes], Event]


def decoder(format: str) -> Decode:
    """What makes an event of a value."""
    if format == "json":
        decode: Decode = orjson.loads
        return decode
    schema = fastavro.parse_schema(_plain(json.loads(SCHEMA.read_text())))

    def decode_avro(value: bytes) -> Event:
        event: Event = fastavro.schemaless_reader(BytesIO(value), schema, None)  # type: ignore[assignment]
        return event

    return decode_avro


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without logical types, as the API wants a number and fastavro would build a datetime."""
    fields = [
        {**field, "type": field["type"]["type"]} if isinstance(field["type"], dict) else field
        for field in schema["fields"]
    ]
    return {**schema, "fields": fields}


class Poster:
    """Gathers events by app and posts full batches, one request after the other, on one connection."""

    def __init__(self, api_url: str) -> None:
        self._http = http.client.HTTPConnection(urlsplit(api_url).netloc)
        self._open: dict[str, list[Event]] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Takes events and posts each batch that they fill."""
        for event in events:
            app = event["app"]
            batch = self._open.setdefault(app, [])
            batch.append({name: event[name] for name in FIELDS})
            if len(batch) == BATCH_RECORDS:
                self._post(app, batch)
                del self._open[app]

    def flush(self) -> None:
        """Posts what is open, full or not."""
        for app, batch in self._open.items():
            self._post(app, batch)
        self._open.clear()

    def _post(self, app: str, batch: list[Event]) -> None:
        self._http.request("POST", f"/apps/{app}", orjson.dumps({"events": batch}))
        with self._http.getresponse() as answer:
            answer.read()
            if answer.status != 200:
                raise OSError(f"the API answers {answer.status}")
