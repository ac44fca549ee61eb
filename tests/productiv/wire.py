"""A server of raw bytes: it answers as scripted, also in ways that no HTTP library would."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self


class Do(Enum):
    """What to do after the bytes."""

    CLOSE = auto()
    RESET = auto()
    HANG = auto()
    TRICKLE = auto()
    """Send a byte every hundredth of a second and never come to an end."""


Script = Sequence[bytes | Do]


@dataclass(frozen=True)
class Seen:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def reply(status: int, body: Any = b"", *, length: int | None = None, **headers: str) -> bytes:
    """An HTTP answer; `length` is what it claims where that differs from the truth."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def token_reply(value: str = "t-1", expires_in: int = 3600) -> bytes:
    return reply(200, {"access_token": value, "token_type": "Bearer", "expires_in": expires_in})


@dataclass
class Wire:
    """Calls `respond` for each batch and sends what it returns; a token request gets `token`."""

    respond: Callable[[Seen], Script]
    token: bytes = token_reply()
    reads_batches: bool = True
    tls: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)
    tokens_asked: list[Seen] = field(default_factory=list)
    connections: int = 0
    written: int = 0

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def left(self) -> None:
        """Returns once every client has closed its connection."""
        async with asyncio.timeout(2):
            await asyncio.gather(*self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._serve(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        length = int(headers.get("content-length", 0)) if self.reads_batches or target == "/token" else 0
        body = await reader.readexactly(length)
        request = Seen(method, target, headers, body)
        if target == "/token":
            self.tokens_asked.append(request)
            writer.write(self.token)
            return True
        self.seen.append(request)
        for step in self.respond(request):
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
                self.written += len(step)
            else:
                await self._misbehave(step, writer)
                return False
        return True

    async def _misbehave(self, step: Do, writer: asyncio.StreamWriter) -> None:
        if step is Do.HANG:
            await asyncio.Event().wait()
        while step is Do.TRICKLE:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)
        if step is Do.RESET:
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
