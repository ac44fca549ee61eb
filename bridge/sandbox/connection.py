"""Ways to end a connection that ASGI does not offer: reset it, close it, cut an answer short."""

import asyncio
import hashlib
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bridge.sandbox.call import Answer

Sleep = Callable[[float], Awaitable[None]]
CONNECTION = "sandbox_connection"
# SO_LINGER on with a time of zero: close() drops what is unsent and answers the peer with a reset.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connection(H11Protocol):
    """uvicorn's HTTP protocol that puts itself into the state of each request's scope.

    `ending` is set when the server ends, so that no call is held back any longer.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Introduces itself to the requests to come when a client connects."""
        super().connection_made(transport)
        self.ending = asyncio.Event()
        self.app_state = {**self.app_state, CONNECTION: self}


class Dropped(Exception):
    """The call ends without a whole answer; `how` says in which way.

    `left` is a client that went away by itself, `unanswered` one that waits in vain until it does.
    """

    def __init__(
        self, how: Literal["reset", "closed", "cut", "unanswered", "left"], answer: Answer | None = None
    ):
        super().__init__(how)
        self.how = how
        self.answer = answer


class Exchange:
    """One request and its answer on a connection."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, sleep: Sleep) -> None:
        self._connection: Connection = scope["state"][CONNECTION]
        self._receive = receive
        self._send = send
        self._sleep = sleep

    async def read_body(self, limit: int) -> bytes | None:
        """The request's body, or None if it is longer than `limit` bytes.

        Raises:
            Dropped: the client went away in the middle of it.
        """
        message = await self._receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body") and len(body) <= limit:
            message = await self._receive()
            body += message.get("body", b"")
        if message["type"] == "http.disconnect":
            raise Dropped("left")
        return body if len(body) <= limit else None

    async def measure_body(self) -> dict[str, Any]:
        """The size in bytes and the SHA-256 of a body of any length, which is not kept.

        Raises:
            Dropped: the client went away in the middle of it.
        """
        digest, size, more = hashlib.sha256(), 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Dropped("left")
            chunk: bytes = message.get("body", b"")
            digest.update(chunk)
            size += len(chunk)
            more = message.get("more_body", False)
        return {"size": size, "sha256": digest.hexdigest()}

    async def wait(self, seconds: float) -> None:
        """Lets time pass, whether or not the client is still there.

        Raises:
            Dropped: the server ends.
        """
        if seconds > 0:
            await self._first(self._sleep(seconds))

    async def hold(self, seconds: float) -> None:
        """Lets time pass as long as the client stays.

        Raises:
            Dropped: the client left, or the server ends.
        """
        if await self._first(self._sleep(seconds), self._client_left()) == 1:
            raise Dropped("unanswered")

    async def answer(self, answer: Answer, upto: int | None = None) -> None:
        """Sends an answer; with `upto` only that many bytes of its body, under a header that promises all."""
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        start: Message = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await self._send(start)
        body: dict[str, Any] = {"type": "http.response.body", "body": answer.body[:upto]}
        await self._send({**body, "more_body": upto is not None})

    async def drop(self, dropped: Dropped) -> None:
        """Ends the connection in the way asked for, and returns once it is gone."""
        transport = self._connection.transport
        match dropped.how:
            case "reset" if not transport.is_closing():  # the client may have left before
                peer: socket.socket = transport.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                transport.abort()
            case "closed":
                transport.close()
            case "cut":
                answer = dropped.answer if dropped.answer and dropped.answer.body else Answer(200, b"{}")
                await self.answer(answer, upto=len(answer.body) // 2)
                transport.close()
            case "unanswered" | "left":
                with suppress(Dropped):
                    await self._first(self._client_left())
                transport.close()
        await self._client_left()

    async def _first(self, *events: Awaitable[None]) -> int:
        """Which of the events came first; the others are given up."""
        waiting = [asyncio.ensure_future(event) for event in (*events, self._connection.ending.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            first = next(position for position, event in enumerate(waiting) if event.done())
        finally:
            for event in waiting:
                event.cancel()
        if first == len(events):
            raise Dropped("closed")
        return first

    async def _client_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
