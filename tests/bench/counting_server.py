"""A Productiv API that counts events and does nothing else, so that the bridge is what a benchmark measures.

    python -m tests.bench.counting_server      prints its address, then serves until it is ended

`POST /oauth2/token` gives a token, any other POST is a batch, `GET /` tells what arrived and when, and
`DELETE /` forgets it. Just enough HTTP/1.1 for clients of our own: no chunked bodies, no pipelining.
"""

import asyncio
from typing import cast

import orjson
import uvloop

from tests.bench.arrivals import Arrivals

# Every event has this once, and counting it takes a hundredth of the time that parsing the body would.
MARK = b'"eventName":'
TOKEN = orjson.dumps({"access_token": "counted", "token_type": "Bearer", "expires_in": 86_400})


class Connection(asyncio.Protocol):
    """One connection, kept open for one request after the other."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
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
            self._answer(self._serve())
            self._buffer.clear()
            self._body_begins = 0

    def _serve(self) -> bytes:
        method, path, _ = self._buffer.split(b" ", 2)
        if method == b"GET":
            return self._arrivals.to_json()
        if method == b"DELETE":
            self._arrivals.forget()
        elif path == b"/oauth2/token":
            return TOKEN
        else:
            self._arrivals.note(self._buffer.count(MARK, self._body_begins))
        return b"{}"

    def _answer(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _serve() -> None:
    arrivals = Arrivals()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(arrivals), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
