"""The course of one API call: faults, limit, token, records, books, answer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope, Send

from bridge.sandbox.apps import Apps
from bridge.sandbox.call import Answer, Batch, Call, Operation, json_answer, refusal
from bridge.sandbox.config import CONNECTOR_WRITE, SandboxConfig
from bridge.sandbox.connection import Dropped, Exchange, Sleep
from bridge.sandbox.content_coding import decoded
from bridge.sandbox.fault_kinds import Phase
from bridge.sandbox.faults import Faults
from bridge.sandbox.list_faults import spoiled
from bridge.sandbox.rate_limit import RateLimit
from bridge.sandbox.requests_seen import RequestsSeen
from bridge.sandbox.strike import Striker, poisoned
from bridge.sandbox.tokens import Tokens, bearer


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all endpoints of one sandbox share. `clock` gives seconds since the epoch."""

    config: SandboxConfig
    clock: Callable[[], float]
    sleep: Sleep
    tokens: Tokens
    apps: Apps
    faults: Faults
    seen: RequestsSeen
    limit: RateLimit | None
    export_limit: RateLimit | None


class Endpoint:
    """Serves one operation, as an ASGI application."""

    def __init__(self, operation: Operation, around: Surroundings) -> None:
        self._operation = operation
        self._around = around
        self._striker = Striker(around.tokens, around.clock)
        export = around.export_limit if operation.path.startswith("/services/export/") else None
        general = around.limit if operation.scope else None
        self._limits = [limit for limit in (general, export) if limit]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; ASGI's signature."""
        exchange = Exchange(scope, receive, send, self._around.sleep)
        seen = self._around.seen
        with seen.in_flight():
            # Counted before the answer leaves, so that a client which has it finds itself in the state.
            try:
                answer = await self._answer(call_of(scope), exchange)
            except Dropped as dropped:
                seen.count(self._operation.name, dropped.how)
                await exchange.drop(dropped)
            else:
                seen.count(self._operation.name, str(answer.status))
                await exchange.answer(answer)

    async def _answer(self, call: Call, exchange: Exchange) -> Answer:
        around = self._around
        await self._struck("during", call, exchange)
        if refused := await self._read(call, exchange):
            return refused
        if refused := self._over_limit():
            return refused
        await exchange.wait(around.config.latency_seconds)
        if replaced := await self._struck("before", call, exchange):
            return replaced
        answer = (
            self._denied(call)
            or self._unreadable(call)
            or self._poisoned(call)
            or self._operation.handle(call)
        )
        if answer.status != 200:
            return answer
        answer = self._spoiled(call, answer)
        return await self._struck("after", call, exchange, answer) or answer

    async def _read(self, call: Call, exchange: Exchange) -> Answer | None:
        if self._operation.digest_body:
            call.document = await exchange.measure_body()
            return None
        limit = self._around.config.max_body_bytes
        body = await exchange.read_body(limit)
        if body is None:
            return refusal(413, f"a request may have {limit} bytes at most")
        coding = call.headers.get("content-encoding", "identity").lower()
        plain = decoded(body, coding, limit, gzip=self._around.config.gzip)
        if isinstance(plain, Answer):
            return plain
        call.body = plain
        if key := call.headers.get("idempotency-key"):
            self._around.seen.key(self._operation.name, key, plain)
        return None

    async def _struck(
        self, when: Phase, call: Call, exchange: Exchange, answer: Answer | None = None
    ) -> Answer | None:
        for armed in self._around.faults.draw(when, self._operation.name, call.app):
            if replaced := await self._striker.strike(armed, exchange, bearer(call.headers), answer):
                return replaced
        return None

    def _spoiled(self, call: Call, answer: Answer) -> Answer:
        """The good answer, or what faults for lists make of it."""
        listing, faults = self._operation.listing, self._around.faults
        if listing is None:
            return answer
        phases: tuple[Phase, ...] = ("list", "page") if listing.own_token else ("list",)
        for phase in phases:
            for armed in faults.draw(phase, self._operation.name, call.app):
                return spoiled(answer, armed.fault, call, listing)
        return answer

    def _over_limit(self) -> Answer | None:
        for limit in self._limits:
            seconds = limit.refuse_for()
            if seconds is not None:
                headers = {"retry-after": str(max(1, math.ceil(seconds)))}
                return json_answer(429, {"message": "the rate limit is exceeded"}, headers)
        return None

    def _denied(self, call: Call) -> Answer | None:
        scope = self._operation.scope
        if scope is None:
            return None
        if denied := self._around.tokens.problem(bearer(call.headers), scope):
            return denied
        # Only a push makes an app known; a call that reads says itself what there is.
        pushed = call.app and scope == CONNECTOR_WRITE
        problem = self._around.apps.problem(call.app) if pushed else None
        return refusal(404, problem) if problem else None

    def _unreadable(self, call: Call) -> Answer | None:
        if (batch := self._operation.batch) is None:
            return None
        if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return refusal(400, "Content-Type must be application/json")
        try:
            call.document = batch.loads(call.body)
        except ValueError as error:
            return refusal(400, f"the body is not JSON: {error}")
        return _bad_batch(call, batch)

    def _poisoned(self, call: Call) -> Answer | None:
        poisons = self._around.faults.poisons(self._operation.name, call.app)
        return poisoned(call.records, poisons) if poisons else None


def _bad_batch(call: Call, batch: Batch) -> Answer | None:
    """Sets the call's records, or says what is wrong: a batch is taken whole or not at all."""
    if not isinstance(call.document, dict):
        return refusal(400, "the body must be a JSON object")
    records: Any = call.document.get(batch.root)
    if records is None and not batch.required:
        records = []
    if not isinstance(records, list):
        return refusal(400, f"{batch.root} must be an array")
    if len(records) > batch.limit:
        return refusal(400, f"{batch.root} may hold {batch.limit} records at most, not {len(records)}")
    check = batch.check
    errors = [
        {"index": index, "message": problem}
        for index, record in enumerate(records)
        if (problem := check(record)) is not None
    ]
    if errors:
        return json_answer(400, {"errors": errors})
    call.records = records
    return None


def call_of(scope: Scope) -> Call:
    """The call that an ASGI scope describes, its body unread."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    return Call(
        app=scope["path_params"].get("app", ""),
        params=scope["path_params"],
        query=QueryParams(scope["query_string"]),
        headers=headers,
        base_url=f"{scope['scheme']}://{host}",
    )
