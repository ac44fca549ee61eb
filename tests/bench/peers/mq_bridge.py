"""mq-bridge: a route in Rust from `kafka` to `http_bulk`, which makes one JSON array of up to 1000 documents.

It takes what is there and never waits for a batch to be full. It has no batches by app: a route has one
path, so events of all apps go out together. It knows no Avro either; for that a middleware in Python
decodes, as its documentation proposes for what the core lacks.
"""

import signal
from typing import Any

import mq_bridge
import orjson

from tests.bench.least import BATCH_RECORDS, FETCHING, FIELDS, decoder
from tests.bench.peers.arguments import Arguments, arguments

CONCURRENCY = 4  # what its own command `copy` takes


class AvroToJson:
    """Decodes what was received and keeps what the API takes."""

    def __init__(self) -> None:
        self._decode = decoder("avro")

    def on_receive(self, messages: list[Any]) -> list[Any]:
        """One message for each."""
        return [message.with_payload(self._json(message.payload)) for message in messages]

    def _json(self, value: bytes) -> bytes:
        event = self._decode(value)
        return orjson.dumps({name: event[name] for name in FIELDS})


def route(told: Arguments) -> dict[str, Any]:
    """Its configuration."""
    kafka = {
        "url": told.bootstrap,
        "topic": told.topic,
        "group_id": told.group,
        "consumer_options": [
            ["auto.offset.reset", "earliest"],
            *([name, str(value)] for name, value in FETCHING.items()),
        ],
    }
    bulk = {
        "url": told.api_url,
        "upsert": {
            "path": "/apps/all",
            "format": "json_array",
            "envelope": '{"events": {documents}}',
            "max_documents": BATCH_RECORDS,
        },
    }
    only_fields = {"transform": {"mapping": {name: f"$.{name}" for name in FIELDS}}}
    retry: dict[str, Any] = {"retry": {}}
    avro = [{"custom": {"name": "avro", "config": {}}}] if told.format == "avro" else []
    return {
        "input": {"middlewares": avro, "kafka": kafka},
        "output": {"middlewares": [retry] if avro else [only_fields, retry], "http_bulk": bulk},
        "batch_size": BATCH_RECORDS,
        "concurrency": CONCURRENCY,
    }


def main() -> None:
    """Runs until SIGTERM."""
    told = arguments()
    mq_bridge.register_middleware("avro", lambda _name, _config: AvroToJson())
    running = mq_bridge.Route.from_config(route(told))
    signal.signal(signal.SIGTERM, lambda *_: mq_bridge.request_shutdown())
    running.start()
    running.join()


if __name__ == "__main__":
    main()
