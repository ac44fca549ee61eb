"""A Productiv API that counts events and does nothing else, so that the bridge is what a benchmark measures.

    python -m tests.bench.counting_server      prints its address, then serves until it is ended

`POST /oauth2/token` gives a token and any other POST is a batch. For the benchmark itself: `GET /` tells
what arrived and when, `GET /events` only how many, `DELETE /` forgets it, and `PUT /` sets its `Manner`.
Just enough HTTP/1.1 for the clients that it meets: no chunked bodies, no pipelining.
"""

import asyncio
from dataclasses import asdict, dataclass
from typing import cast

import orjson
import uvloop

from tests.bench.arrivals import Arrivals

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


@dataclass(slots=True)
class State:
    """What all connections share."""

    arrivals: Arrivals
    manner: Manner


class Connection(asyncio.Protocol):
    """One connection, kept open for one request after the other."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buffer = bytearray()
        self._body_begins = 0  # 0 while the head is incomplete
        self._ends = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by behaviour only

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._body_begins:
            head_ends = self._buffer.find(b"\r\n\r\n")
            if head_ends < 0:
                return
            self._body_begins = head_ends + 4
            self._ends = self._body_begins + _content_length(bytes(self._buffer[:head_ends]))
        if len(self._buffer) >= self._ends:
            self._serve()
            self._buffer.clear()
            self._body_begins = 0

    def _serve(self) -> None:
        state = self._state
        method, path, _ = self._buffer.split(b" ", 2)
        if method == b"GET":
            told = state.arrivals.to_json() if path == b"/" else orjson.dumps(state.arrivals.events)
            self._answer(200, told)
        elif method == b"DELETE":
            state.arrivals.forget()
            self._answer(200, b"{}")
        elif method == b"PUT":
            state.manner = Manner(**orjson.loads(self._buffer[self._body_begins :]))
            self._answer(200, b"{}")
        elif path == b"/oauth2/token":
            self._answer(200, TOKEN)
        else:
            self._batch(self._buffer.count(MARK, self._body_begins))

    def _batch(self, events: int) -> None:
        if self._state.manner.delay:
            asyncio.get_running_loop().call_later(self._state.manner.delay, self._accept, events)
        else:
            self._accept(events)

    def _accept(self, events: int) -> None:
        status = self._state.manner.status
        if status == 200:
            self._state.arrivals.note(events)
        self._answer(status, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _serve() -> None:
    state = State(Arrivals(), Manner())
    server = await asyncio.get_running_loop().create_server(lambda: Connection(state), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
