"""The operations port: /metrics, /healthz, /readyz and the status page, from a thread of its own."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.core.errors import BridgeError

# The loop beats once a second; so long without a beat means that it is stuck, and a restart is the cure.
STUCK_SECONDS = 30.0
ENDING_SECONDS = 2  # for answers under way, when the port closes


class Pulse:
    """The sign of life of the event loop, read from another thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """Called by the loop, about once a second."""
        self._last = self._clock()

    @property
    def age(self) -> float:
        """Seconds since the last beat."""
        return self._clock() - self._last


def health_app(
    registry: CollectorRegistry,
    pulse: Pulse,
    not_ready: Callable[[], list[str]],
    more: Sequence[Route] = (),
) -> Starlette:
    """The pages, and `more`. `not_ready` names what keeps the process from its work, if anything does."""

    def healthz(_: Request) -> JSONResponse:
        alive = pulse.age < STUCK_SECONDS
        return JSONResponse(
            {"alive": alive, "seconds_since_beat": round(pulse.age, 1)}, 200 if alive else 503
        )

    def readyz(_: Request) -> JSONResponse:
        reasons = not_ready()
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)

    pages = (healthz, readyz, metrics)
    app = Starlette(routes=[*(Route(f"/{page.__name__}", page) for page in pages), *more])
    app.state.ending = False  # what has no end of its own ends once this is true
    return app


@contextmanager
def served(app: Starlette, host: str, port: int) -> Iterator[str]:
    """Serves the app while the context lasts; gives its address. Port 0 takes a free one.

    Raises:
        BridgeError: the port cannot be had.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise BridgeError(
            f"cannot listen on {host}:{port}: {error.strerror}; set http.host and http.port"
        ) from error
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=ENDING_SECONDS,
        )
    )
    thread = threading.Thread(target=server.run, args=([listener],), name="operations-port", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        app.state.ending = server.should_exit = True
        thread.join(ENDING_SECONDS + 3)
