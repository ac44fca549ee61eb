"""The sandbox's own routes, under /_sandbox: state, content, faults, reset, health."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.call import Operation, Page, Part
from bridge.sandbox.endpoint import Surroundings, call_of
from bridge.sandbox.faults import BadFault

MAX_PAGE = 10_000


class Admin:
    """Answers questions about the sandbox and takes its switches.

    `switches` are those of single parts; no fault, limit or token stands before them. They raise ValueError
    for what they cannot take.
    """

    def __init__(self, parts: Sequence[Part], switches: Sequence[Operation], around: Surroundings) -> None:
        self._parts = {part.content_path: part for part in parts}
        self._switches = switches
        self._around = around

    def routes(self) -> list[Route]:
        """All routes, to be mounted as they are."""
        return [
            Route("/_sandbox/health", self._health, methods=["GET"]),
            Route("/_sandbox/state", self._state, methods=["GET"]),
            Route("/_sandbox/reset", self._reset, methods=["POST"]),
            Route("/_sandbox/faults", self._faults, methods=["GET"]),
            Route("/_sandbox/faults", self._add_fault, methods=["POST"]),
            Route("/_sandbox/faults", self._clear_faults, methods=["DELETE"]),
            Route("/_sandbox/faults/{fault_id:int}", self._clear_faults, methods=["DELETE"]),
            Route("/_sandbox/{content}", self._content, methods=["GET"]),
            *(Route(switch.path, _switched(switch), methods=[switch.method]) for switch in self._switches),
        ]

    async def _health(self, _request: Request) -> Response:
        return _json({"status": "ok"})

    async def _state(self, request: Request) -> Response:
        state = self._figures()
        if request.query_params.get("content") == "true":
            try:
                pages = {part.name: _page(part, request) for part in self._parts.values()}
            except ValueError as error:
                return _json({"message": str(error)}, 400)
            state["content"] = pages
        return _json(state)

    def _figures(self) -> dict[str, Any]:
        around = self._around
        apps: dict[str, dict[str, Any]] = {}
        company: dict[str, Any] = {}
        for part in self._parts.values():
            for app, each in part.state().items():
                if app:
                    apps.setdefault(app, {})[part.name] = each
                else:
                    company[part.name] = each
        figures = [*company.values(), *(figures for parts in apps.values() for figures in parts.values())]
        return {
            "apps": apps,
            "company": company,
            "largest_batch": max((each.get("largest_batch", 0) for each in figures), default=0),
            "identity_exact": all(each.get("identity_exact", True) for each in figures),
            **around.seen.state(),
            "tokens": around.tokens.state(),
            "rate_limit": around.limit.state() if around.limit else None,
            "export_rate_limit": around.export_limit.state() if around.export_limit else None,
            "faults": around.faults.state(),
        }

    async def _content(self, request: Request) -> Response:
        part = self._parts.get(request.path_params["content"])
        if part is None:
            return _json({"message": f"there are: {', '.join(self._parts)}"}, 404)
        try:
            page = _page(part, request)
        except ValueError as error:
            return _json({"message": str(error)}, 400)
        if request.query_params.get("format") == "ndjson":
            lines = b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in page["items"])
            return Response(lines, media_type="application/x-ndjson")
        return _json(page)

    async def _reset(self, _request: Request) -> Response:
        around = self._around
        for part in self._parts.values():
            part.reset()
        around.tokens.reset()
        around.faults.reset()
        around.seen.reset()
        for limit in filter(None, (around.limit, around.export_limit)):
            limit.reset()
        return _json({"status": "reset"})

    async def _faults(self, _request: Request) -> Response:
        return _json({"faults": self._around.faults.state()})

    async def _add_fault(self, request: Request) -> Response:
        try:
            armed = self._around.faults.add(orjson.loads(await request.body()))
        except BadFault as bad:
            return _json({"message": str(bad), "errors": bad.problems}, 400)
        except ValueError as error:
            return _json({"message": f"the body is not JSON: {error}"}, 400)
        return _json(armed.state())

    async def _clear_faults(self, request: Request) -> Response:
        cleared = self._around.faults.clear(request.path_params.get("fault_id"))
        return _json({"cleared": cleared, "faults": self._around.faults.state()})


def _switched(switch: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def switched(request: Request) -> Response:
        call = call_of(request.scope)
        call.body = await request.body()
        try:
            answer = switch.handle(call)
        except ValueError as error:
            return _json({"message": str(error)}, 400)
        return Response(answer.body, answer.status, answer.headers)

    return switched


def _page(part: Part, request: Request) -> dict[str, Any]:
    """One page of a part's content.

    Raises:
        ValueError: offset or limit is not a number in its range.
    """
    app = request.query_params.get("app", "")
    offset = _number(request, "offset", 0, 0, 10**12)
    limit = _number(request, "limit", 1000, 1, MAX_PAGE)
    page: Page = part.page(app, offset, limit)
    following = offset + len(page.items)
    return {
        "app": app,
        "offset": offset,
        "total": page.total,
        "kept": page.kept,
        "next_offset": following if page.items and following < page.kept else None,
        "items": page.items,
    }


def _number(request: Request, name: str, default: int, low: int, high: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}")
    return int(text)


def _json(document: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(document, option=orjson.OPT_INDENT_2), status, media_type="application/json")
