"""Sends batches to the Productiv API and says what each came to."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import httpx2 as httpx
from aiolimiter import AsyncLimiter

from bridge import __version__
from bridge.core.outcome import Denied, InDoubt, Outcome, Rejected, Unavailable
from bridge.core.record import Doc
from bridge.core.stream import Operation
from bridge.productiv.auth import Credentials, Token, TokenFailure, Tokens
from bridge.productiv.contracts import CONTRACTS, Call
from bridge.productiv.exchange import exchange
from bridge.productiv.settings import ClientSettings
from bridge.productiv.statuses import outcome_of

OnRequest = Callable[[Operation, Outcome, float], None]
"""Told of each call when it is over: which, what it came to, and how many seconds it took."""

KEEPALIVE_EXPIRY = 20.0
"""Seconds for which an idle connection is kept. Common load balancers close it after 60 s, and a request sent
into a closing connection is in doubt, so this end lets go first."""

NEVER_SENT = 0
"""The status of a batch rejected here, before any request."""

# A token can be refused before it ends (revoked, or a clock that is off), and no description of the API says
# which of the two it answers then.
_TOKEN_REFUSED = (401, 403)


def _tell_nobody(operation: Operation, outcome: Outcome, seconds: float) -> None:
    """For whoever does not measure."""


class Client:
    """The Productiv API as `bridge.core.ports.Api`: one pool of connections, one rate, one token per scopes.

    To be made and closed within one event loop. `clock` gives monotonic seconds, `wall` seconds since 1970,
    and `transport` stands in for the network in tests.
    """

    def __init__(
        self,
        settings: ClientSettings,
        credentials: Callable[[], Credentials],
        *,
        on_request: OnRequest = _tell_nobody,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._calls = CONTRACTS[settings.contract].calls
        self._on_request = on_request
        self._clock = clock
        self._wall = wall
        # A bucket of one: requests are 1/rate seconds apart, also the first ones after a quiet time.
        self._limiter = AsyncLimiter(1, 1 / settings.rate) if settings.rate else None
        self._http = _http(settings, transport)
        self._tokens = Tokens(self._http, settings, credentials, clock, wall)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes every connection; a request in flight ends with an error."""
        await self._http.aclose()

    @property
    def token_held(self) -> bool:
        """Whether there is a living access token for every call made so far; `ensure_token` gets one."""
        return self._tokens.held

    @property
    def token_expires_in(self) -> float | None:
        """Seconds until the first of the tokens in use ends; None while there is none."""
        return self._tokens.expires_in

    def reset(self) -> None:
        """Drops all tokens, so that new credentials count at once and not only when a token ends."""
        self._tokens.reset()

    async def ensure_token(self, operation: Operation) -> TokenFailure | None:
        """Gets or renews the token for an operation without calling it; says what is in the way, if any."""
        token = await self._tokens.get(self._calls[operation].scopes)
        return None if isinstance(token, Token) else token

    async def publish(self, operation: Operation, app: str, docs: Sequence[Doc], key: str) -> Outcome:
        """Sends one batch and says what it came to; never raises for the API, the network or a record.

        A refused token is renewed and the batch sent again, once. `on_request` is told the time of it all but
        the wait for the rate limit.
        """
        call = self._calls[operation]
        request = self._request(call, app, docs, key)
        if isinstance(request, Rejected):
            return request
        await self._turn()
        started = self._clock()
        outcome = await self._send_with_token(call, request, len(docs))
        self._on_request(operation, outcome, self._clock() - started)
        return outcome

    def _request(self, call: Call, app: str, docs: Sequence[Doc], key: str) -> httpx.Request | Rejected:
        if len(docs) > call.max_records:
            reason = f"{len(docs)} records are more than the {call.max_records} that a request takes"
            return Rejected(NEVER_SENT, reason, too_large=True)
        try:
            url = httpx.URL(self._settings.api_url.rstrip("/") + call.target(app))
        except (httpx.InvalidURL, ValueError):
            return Rejected(NEVER_SENT, "the app id cannot be part of an address", whole=True)
        try:
            body = call.body(docs)
        except TypeError:
            return Rejected(NEVER_SENT, "a record holds what JSON cannot say")
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._http.build_request(call.method, url, content=body, headers=headers)

    async def _turn(self) -> None:
        if self._limiter is not None:
            await self._limiter.acquire()

    async def _send_with_token(self, call: Call, request: httpx.Request, records: int) -> Outcome:
        token = await self._tokens.get(call.scopes)
        if not isinstance(token, Token):
            return token
        outcome = await self._send(request, token, records)
        if not (isinstance(outcome, Denied) and outcome.status in _TOKEN_REFUSED):
            return outcome
        self._tokens.refuse(call.scopes, token)
        token = await self._tokens.get(call.scopes)
        if not isinstance(token, Token):
            return token
        await self._turn()
        return await self._send(request, token, records)

    async def _send(self, request: httpx.Request, token: Token, records: int) -> Outcome:
        request.headers["Authorization"] = f"Bearer {token.value}"
        answer = await exchange(self._http, request, self._settings)
        if isinstance(answer, Unavailable | InDoubt):
            return answer
        return outcome_of(
            answer.without(token.value),
            records=records,
            wall=self._wall(),
            retry_after_cap=self._settings.retry_after_cap,
        )


def _http(settings: ClientSettings, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport,
        # A proxy named in the environment is used, but never for a sandbox on the same machine.
        mounts={f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")},
        headers={
            "User-Agent": f"productiv-bridge/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # answers are a few bytes
        },
        timeout=httpx.Timeout(
            connect=settings.connect_timeout,
            write=settings.write_timeout,
            read=settings.read_timeout,
            pool=settings.pool_timeout,
        ),
        limits=httpx.Limits(
            max_connections=settings.max_connections,
            max_keepalive_connections=settings.max_connections,
            keepalive_expiry=KEEPALIVE_EXPIRY,
        ),
    )
