"""Runs the sandbox in a thread of its own, beside whoever wants a Productiv to talk to."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import uvicorn

from bridge.core.errors import BridgeError
from bridge.sandbox.application import application
from bridge.sandbox.config import SandboxConfig
from bridge.sandbox.connection import Connection, Sleep

START_SECONDS = 30
STOP_SECONDS = 15
DRAIN_SECONDS = 1
"""How long calls under way may finish at the end; one that a fault holds back is ended then."""
KEEP_ALIVE_SECONDS = 75


class SandboxServer:
    """A sandbox on a TCP port; port 0 takes a free one.

    Use it as a context manager, or call `start()` and `stop()`. `clock` gives seconds since the epoch and
    `sleep` lets seconds pass; tests bring their own. With `tls` it speaks https; another context
    may be put in its place between `stop()` and `start()`.
    """

    def __init__(
        self,
        config: SandboxConfig | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.config = config or SandboxConfig()
        self.tls = tls
        self._host = host
        self._port = port
        self._application = application(self.config, clock, sleep)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end; known once it was started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'http' if self.tls is None else 'https'}://{host}:{self._port}"

    def start(self) -> Self:
        """Listens and returns once requests are answered.

        Raises:
            BridgeError: the address cannot be used, or the server did not come up.
        """
        if self._thread is not None:
            raise BridgeError("the sandbox is running already")
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        tls = self.tls
        self._server = _Server(
            uvicorn.Config(
                self._application,
                http=Connection,
                ws="none",
                lifespan="off",
                access_log=False,
                proxy_headers=False,
                log_config=None,
                log_level="warning",
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                ssl_context_factory=None if tls is None else lambda config, default: tls,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="productiv-sandbox", daemon=True
        )
        self._thread.start()
        if not self._server.listening.wait(START_SECONDS):
            raise BridgeError(f"the sandbox did not come up within {START_SECONDS} seconds")
        return self

    def stop(self) -> None:
        """Ends it and returns once the port is free; calls under way have a moment to finish."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            raise BridgeError(f"the sandbox did not end within {STOP_SECONDS} seconds")
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(uvicorn.Server):
    """Tells when it listens, so that nobody has to ask again and again."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in self.server_state.connections:
            if isinstance(connection, Connection):
                connection.ending.set()
        await super().shutdown(sockets)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BridgeError(
            f"the sandbox cannot listen on {host}:{port}: {reason}; choose another port"
        ) from error
