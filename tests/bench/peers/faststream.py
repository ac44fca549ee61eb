"""FastStream on confluent-kafka: a batch subscriber with a decoder of its own, acknowledged after the post.

`apply_types=False` leaves out the validation by pydantic that FastStream would do for the handler's
annotation: with it, each event takes several times as long, and the other peers validate nothing either.
"""

import asyncio
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker

from tests.bench.least import BATCH_SECONDS, FETCHING, Event, Poster, decoder
from tests.bench.peers.arguments import arguments


def main() -> None:
    """Runs until SIGTERM."""
    told = arguments()
    decode, poster = decoder(told.format), Poster(told.api_url)

    async def decoded(message: Any) -> list[Event]:
        return [decode(value) for value in message.body]

    async def post(events: list[Event]) -> None:
        # In the loop and not in a thread of its own: nothing else is to be done meanwhile, as the next
        # batch is consumed only after this one. Against an API that takes its time a thread would change
        # nothing.
        poster.add(events)
        poster.flush()

    broker = KafkaBroker(told.bootstrap, apply_types=False, logger=None, config=dict(FETCHING))
    subscribe = broker.subscriber(
        told.topic,
        group_id=told.group,
        auto_offset_reset="earliest",
        batch=True,
        max_records=told.gather,
        polling_interval=BATCH_SECONDS,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        decoder=decoded,
    )
    subscribe(post)
    asyncio.run(FastStream(broker, logger=None).run())


if __name__ == "__main__":
    main()
