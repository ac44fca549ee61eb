"""Just enough of an HTTP/1.1 server for benchmarks, so that it is never what is measured.

Each connection is kept open for one request after the other: no chunked bodies, no pipelining.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

import uvloop


class Answer(NamedTuple):
    """What is answered, and after how many seconds; `then` is called when it is."""

    body: bytes
    status: int = 200
    delay: float = 0.0
    then: Callable[[], None] | None = None


Serve = Callable[[bytes, bytes, bytes], Answer]
"""Takes a method, a path with its query, and a body."""


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
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
            method, path, _ = self._buffer.split(b" ", 2)
            answer = self._serve(bytes(method), bytes(path), bytes(self._buffer[self._body_begins :]))
            self._buffer.clear()
            self._body_begins = 0
            if answer.delay:
                asyncio.get_running_loop().call_later(answer.delay, self._answer, answer)
            else:
                self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        if answer.then is not None:
            answer.then()
        head = (
            f"HTTP/1.1 {answer.status} -\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(answer.body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + answer.body)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def run(serve: Serve) -> None:
    """Prints its address, then serves until it is ended."""

    async def serving() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(serve), "127.0.0.1", 0)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()

    uvloop.run(serving())
