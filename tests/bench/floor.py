"""The least a Python program can do for this job, as a process: consume a topic and decode its events.

    python -m tests.bench.floor BOOTSTRAP TOPIC FORMAT EVENTS [API_URL]

With an API it also gathers the events by app and posts them by the thousand, one request after the other:
no validation, no books, no retries. The last line of its output is what arrived when, as JSON.
"""

import sys
import time

from confluent_kafka import Consumer

from tests.bench.arrivals import Arrivals
from tests.bench.least import FETCHING, Decode, Poster, decoder

CONSUME_RECORDS, CONSUME_SECONDS = 5_000, 0.05  # what the bridge asks for
QUIET_SECONDS = 60.0  # without a single event for so long, something is wrong
READY = "ready"


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
        poster.flush()
    return arrivals


def main(bootstrap: str, topic: str, format: str, events: str, api_url: str = "") -> None:
    """Runs it once."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"floor-{topic}-{api_url}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **FETCHING,
        }
    )
    print(READY, flush=True)
    consumer.subscribe([topic])
    arrivals = consume(consumer, decoder(format), int(events), Poster(api_url) if api_url else None)
    consumer.close()
    print(arrivals.to_json().decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
