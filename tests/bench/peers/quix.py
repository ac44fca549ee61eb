"""Quix Streams: a sink that gathers by app and posts at each checkpoint, which then commits.

A sink of one's own is what Quix Streams offers for an HTTP API. It derives from `BaseSink` and not from
`BatchingSink`, as that one gathers by partition, which would make six small batches of each large one.
"""

from typing import Any

from quixstreams import Application
from quixstreams.models.serializers import Deserializer
from quixstreams.sinks import BaseSink

from tests.bench.least import BATCH_SECONDS, FETCHING, Event, Poster, decoder
from tests.bench.peers.arguments import arguments


class Events(Deserializer):  # type: ignore[misc]  # untyped where it is not installed
    """With orjson or fastavro: the deserializer that comes with it uses `json` of the standard library."""

    def __init__(self, format: str) -> None:
        super().__init__()
        self._decode = decoder(format)

    def __call__(self, value: bytes, ctx: object) -> Event:
        """One event."""
        return self._decode(value)


class ApiSink(BaseSink):  # type: ignore[misc]
    """Posts full batches as they fill and the rest at a checkpoint."""

    def __init__(self, api_url: str) -> None:
        super().__init__()
        self._poster = Poster(api_url)

    def add(self, value: Event, **_: Any) -> None:
        """Takes one event."""
        self._poster.add((value,))

    def flush(self) -> None:
        """Posts what is open; offsets are committed after this."""
        self._poster.flush()


def main() -> None:
    """Runs until SIGTERM."""
    told = arguments()
    application = Application(
        broker_address=told.bootstrap,
        consumer_group=told.group,
        auto_offset_reset="earliest",
        commit_interval=BATCH_SECONDS,
        commit_every=told.gather,
        auto_create_topics=False,
        consumer_extra_config=dict(FETCHING),
        loglevel="WARNING",
    )
    events = application.topic(told.topic, value_deserializer=Events(told.format))
    application.dataframe(events).sink(ApiSink(told.api_url))
    application.run()


if __name__ == "__main__":
    main()
