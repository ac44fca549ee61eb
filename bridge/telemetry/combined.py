"""One operations port for several processes, the workers: what each says on its own, said as one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

import httpx2 as httpx
from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bridge.telemetry.status.overview import overview
from bridge.telemetry.status.routes import HEADERS, stylesheet

LABEL = "worker"
ASK_SECONDS = 3.0  # whoever asks us waits for 5 seconds

# With their types, which the older text format does not tell of all.
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}

PAGES = ("", "events", "status.json", "status.css", "status.js")
"""What is passed on of a worker: its status page."""

Addresses = Callable[[], Mapping[str, str | None]]
"""The operations port of each worker, by its name; None of one that does not work yet, or no more."""


class Combined(Collector):
    """The metrics of several processes, from the page of each by its name."""

    def __init__(self, pages: Mapping[str, str]) -> None:
        self._pages = pages

    def collect(self) -> Iterable[Metric]:
        """The families of all; a sample keeps its labels and gets the name as `worker`."""
        families: dict[str, Metric] = {}
        for name, page in self._pages.items():
            read: Iterable[Metric] = text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
            for one in read:
                whole = families.setdefault(one.name, Metric(one.name, one.documentation, one.type, one.unit))
                whole.samples += [each._replace(labels={**each.labels, LABEL: name}) for each in one.samples]
        return families.values()


def combined_app(addresses: Addresses) -> Starlette:
    """The pages of all workers as one, an overview, and the status page of each under `/workers/NAME/`."""

    async def answers(path: str) -> dict[str, httpx.Response | None]:
        """What each says; None of who does not work, or does not answer in time."""

        async def answer(address: str | None) -> httpx.Response | None:
            try:
                return await client.get(address + path, headers=OPENMETRICS) if address else None
            except httpx.TransportError:
                return None

        now = dict(addresses())
        async with _client(ASK_SECONDS) as client:
            return dict(zip(now, await asyncio.gather(*map(answer, now.values())), strict=True))

    async def healthz(_: Request) -> JSONResponse:
        # Who has ended is started again: to end all of them for that would be no cure. But as long as nobody
        # works we are as a process that has not come to open its port.
        working = {name for name, address in addresses().items() if address}
        alive = {
            name: one is not None and one.is_success
            for name, one in (await answers("/healthz")).items()
            if name in working
        }
        well = bool(alive) and all(alive.values())
        return JSONResponse({"alive": well, "workers": alive}, 200 if well else 503)

    async def readyz(_: Request) -> JSONResponse:
        reasons = [
            f"worker {name}: {reason}"
            for name, one in (await answers("/readyz")).items()
            for reason in (["does not work yet"] if one is None else one.json()["reasons"])
        ]
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def metrics(request: Request) -> Response:
        pages = {name: one.text for name, one in (await answers("/metrics")).items() if one is not None}
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(Combined(pages)), media_type=content_type)

    async def statuses() -> dict[str, dict[str, object] | None]:
        said = await answers("/status.json")
        return {name: None if one is None else one.json() for name, one in said.items()}

    async def whole(_: Request) -> Response:
        return Response(overview(await statuses()), media_type="text/html", headers=HEADERS)

    async def as_json(_: Request) -> Response:
        return JSONResponse({"workers": await statuses()}, headers=HEADERS)

    async def of_one(request: Request) -> Response:
        name, page = request.path_params["name"], request.path_params["page"]
        if name not in addresses() or page not in PAGES:
            return Response("Not Found", 404)
        address = addresses()[name]
        return _Passed(request.method, f"{address}/{page}") if address else _NO_ANSWER

    pages = [Route(f"/{page.__name__}", page) for page in (healthz, readyz, metrics)]
    own = [Route("/", whole), Route("/status.json", as_json), Route("/status.css", stylesheet)]
    app = Starlette(routes=[*pages, *own, Route("/workers/{name}/{page:path}", of_one)])
    app.state.ending = False
    return app


_KEPT = {"content-type", "retry-after", *(name.lower() for name in HEADERS)}
_NO_ANSWER = Response("This worker does not answer.", 503, {**HEADERS, "Retry-After": "5"})


class _Passed(Response):
    """What a worker answers, as it comes."""

    def __init__(self, method: str, url: str) -> None:
        super().__init__()
        self._method = method
        self._url = url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with _client(None) as client, client.stream(self._method, self._url) as answer:
                headers = {name: value for name, value in answer.headers.items() if name in _KEPT}
                passed = StreamingResponse(_chunks(answer), answer.status_code, headers)
                await passed(scope, receive, send)
        except httpx.TransportError:
            await _NO_ANSWER(scope, receive, send)


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body; it ends where the worker does."""
    try:
        async for chunk in answer.aiter_bytes():
            yield chunk
    except httpx.TransportError:
        return


def _client(seconds: float | None) -> httpx.AsyncClient:
    """For processes on this machine: no proxy and no TLS has a part in it."""
    return httpx.AsyncClient(timeout=httpx.Timeout(ASK_SECONDS, read=seconds), trust_env=False, verify=False)
