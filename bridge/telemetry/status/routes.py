"""The status page on the operations port: the page, its events, the same as JSON."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bridge.telemetry.status.page import page, parts
from bridge.telemetry.status.states import STUCK_SECONDS, headline
from bridge.telemetry.status.watch import Status

MAX_READERS = 16
"""How many may follow the events at once: each is sent some 35 kB a second."""

LOOK_SECONDS = 0.5

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def status_routes(latest: Callable[[], Status], clock: Callable[[], float]) -> list[Route]:
    """The routes; `latest` gives the status as it was last, `clock` monotonic seconds."""
    readers: set[Response] = set()
    made: tuple[Status | None, dict[str, str]] = None, {}

    def age() -> float:
        return clock() - latest().facts.now

    def shown() -> dict[str, str]:
        """The parts, made once for all readers: that takes some milliseconds."""
        nonlocal made
        if made[0] is not (status := latest()) or age() >= STUCK_SECONDS:
            made = status, parts(status, age())
        return made[1]

    async def whole(request: Request) -> Response:
        return Response(page(latest(), age()), media_type="text/html", headers=HEADERS)

    async def as_json(request: Request) -> Response:
        status = latest()
        state, said = headline(status, age())
        return JSONResponse({"state": state.word, "headline": said, **asdict(status)}, headers=HEADERS)

    async def events(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=HEADERS)
        if len(readers) >= MAX_READERS:
            return Response("too many follow already", 503, HEADERS | {"Retry-After": "10"})
        answer = _Events(changes(request), readers.discard)
        readers.add(answer)
        return answer

    async def changes(request: Request) -> AsyncIterator[str]:
        sent: dict[str, str] = {}
        while not request.app.state.ending:
            now = shown()
            if changed := {name: made for name, made in now.items() if sent.get(name) != made}:
                yield f"retry: 1000\ndata: {json.dumps(changed)}\n\n"
            sent = now
            await asyncio.sleep(LOOK_SECONDS)

    return [
        Route("/", whole),
        Route("/events", events),
        Route("/status.json", as_json),
        Route("/status.css", stylesheet),
        Route("/status.js", _file("status.js", "text/javascript")),
    ]


class _Events(StreamingResponse):
    """Tells when it is over, however it ends: also by a reader who was gone before it began."""

    def __init__(self, events: AsyncIterator[str], over: Callable[[Response], None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=HEADERS)
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over(self)


def _file(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = files(__package__).joinpath(name).read_bytes()

    async def file(request: Request) -> Response:
        return Response(content, media_type=media_type, headers=HEADERS)

    return file


stylesheet = _file("status.css", "text/css")
"""Answers with the style of the pages."""
