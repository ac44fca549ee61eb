"""A Productiv API that counts events and does nothing else, so that the bridge is what a benchmark measures.

    python -m tests.bench.counting_server      prints its address, then serves until it is ended

`POST /oauth2/token` gives a token and any other POST is a batch. For the benchmark itself: `GET /` tells what
arrived and when, `GET /events` only how many, `DELETE /` forgets it, and `PUT /` sets its `Manner`.
"""

from dataclasses import asdict, dataclass
from functools import partial

import orjson

from tests.bench import small_http
from tests.bench.arrivals import Arrivals
from tests.bench.small_http import Answer

# Every event has this once, and counting it takes a hundredth of the time that parsing the body would.
MARK = b'"eventName":'
TOKEN = orjson.dumps({"access_token": "counted", "token_type": "Bearer", "expires_in": 86_400})


@dataclass(frozen=True, slots=True)
class Manner:
    """How batches are answered: after how many seconds, and with which status. Only 200 counts them."""

    delay: float = 0.0
    status: int = 200

    def to_json(self) -> bytes:
        """As the server takes it."""
        return orjson.dumps(asdict(self))


class CountingServer:
    """What all connections share."""

    def __init__(self) -> None:
        self._arrivals = Arrivals()
        self._manner = Manner()

    def serve(self, method: bytes, path: bytes, body: bytes) -> Answer:
        """Answers one request."""
        if method == b"GET":
            told = self._arrivals.to_json() if path == b"/" else orjson.dumps(self._arrivals.events)
            return Answer(told)
        if method == b"DELETE":
            self._arrivals.forget()
        elif method == b"PUT":
            self._manner = Manner(**orjson.loads(body))
        elif path == b"/oauth2/token":
            return Answer(TOKEN)
        else:
            return self._batch(body.count(MARK))
        return Answer(b"{}")

    def _batch(self, events: int) -> Answer:
        if self._manner.status != 200:
            return Answer(b"{}", self._manner.status, self._manner.delay)
        return Answer(b"{}", 200, self._manner.delay, partial(self._arrivals.note, events))


if __name__ == "__main__":
    small_http.run(CountingServer().serve)
