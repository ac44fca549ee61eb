"""Sends batches and questions to the Productiv API and says what each came to."""

import asyncio
import gzip
import time
from collections.abc import Callable, Mapping, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import httpx2 as httpx
import orjson
import structlog

from bridge import __version__
from bridge.core.outcome import Accepted, Denied, InDoubt, Outcome, Rejected, Throttled, Unavailable
from bridge.core.polling import Page
from bridge.core.record import Doc
from bridge.core.stream import Operation
from bridge.productiv.auth import Credentials, Token, TokenFailure, Tokens
from bridge.productiv.certificates import FollowingContext
from bridge.productiv.contracts import CONTRACTS, Call, Question
from bridge.productiv.exchange import MAX_ANSWER_BYTES, exchange
from bridge.productiv.rate import Rate
from bridge.productiv.settings import ClientSettings
from bridge.productiv.statuses import outcome_of

log = structlog.get_logger(__name__)

OnRequest = Callable[[Operation, Outcome, float], None]
"""Told of each call when it is over: which, what it came to, and how many seconds it took."""

KEEPALIVE_EXPIRY = 20.0
"""Seconds for which an idle connection is kept. Common load balancers close it after 60 s, and a request sent
into a closing connection is in doubt, so this end lets go first."""

MAX_LIST_BYTES = 64 * 1024 * 1024
"""What is read of an answer to a question: some 400,000 users of 150 bytes each."""

Failed = Throttled | Unavailable | InDoubt | Rejected | Denied
"""What a question can come to when it has no answer."""

NOTHING: Mapping[str, Any] = {}

NEVER_SENT = 0
"""The status of a batch rejected here, before any request."""

GZIP_LEVEL = 1
"""The quickest. Level 6, the usual one, takes twice as long and leaves nine tenths of what this leaves."""

UNSUPPORTED_MEDIA_TYPE = 415
"""What a server answers to a content coding that it does not take (RFC 9110, 15.5.16): it took no record."""

# A token can be refused before it ends (revoked, or a clock that is off), and no description of the API says
# which of the two it answers then.
_TOKEN_REFUSED = (401, 403)


def _tell_nobody(operation: Operation, outcome: Outcome, seconds: float) -> None:
    """For whoever does not measure."""


class Client:
    """The Productiv API as `bridge.core.ports.Api`: one pool of connections, one token per scopes.

    There is one rate for the calls of the export API and one for all others. To be made and closed within one
    event loop. `beside` is what goes out beside the records of every batch
    of an operation, by the names of its contract. `clock` gives monotonic seconds, `wall` seconds since 1970,
    and `transport` stands in for the network in tests.
    """

    def __init__(
        self,
        settings: ClientSettings,
        credentials: Callable[[], Credentials],
        *,
        beside: Mapping[Operation, Mapping[str, Any]] | None = None,
        on_request: OnRequest = _tell_nobody,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._calls = CONTRACTS[settings.contract].calls
        self._questions = CONTRACTS[settings.contract].questions
        self._beside = beside or {}
        self._on_request = on_request
        self._clock = clock
        self._wall = wall
        self._rate = Rate(settings.rate, clock)
        self._export_rate = Rate(settings.export_rate, clock)
        self._compressing = settings.compression == "gzip"
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

    @property
    def token_age(self) -> float | None:
        """Seconds since the oldest of the tokens in use was asked for; None while there is none."""
        return self._tokens.age

    @property
    def rates(self) -> Mapping[str, Rate]:
        """The rate limits: that of the export API, and that of all else."""
        return {"push": self._rate, "export": self._export_rate}

    def reset(self) -> None:
        """Drops all tokens, so that new credentials count at once and not only when a token ends."""
        self._tokens.reset()

    async def ensure_token(self, operation: Operation) -> TokenFailure | None:
        """Gets or renews the token for an operation without calling it; says what is in the way, if any."""
        described = self._calls.get(operation) or self._questions[operation]
        token = await self._tokens.get(described.scopes)
        return None if isinstance(token, Token) else token

    def question(self, operation: Operation) -> Question:
        """What the contract says of an operation that `ask` takes."""
        return self._questions[operation]

    async def publish(self, operation: Operation, app: str, docs: Sequence[Doc], key: str) -> Outcome:
        """Sends one batch and says what it came to; never raises for the API, the network or a record.

        A refused token is renewed and the batch sent again, once. An API that does not take compressed bodies
        gets it as it is, and all others from then on. `on_request` is told the time of each request but the
        wait for the rate limit.
        """
        build, batch = self._batch_request, (operation, app, docs, key)
        # Compressing takes milliseconds, in which Python's lock is free.
        request = await asyncio.to_thread(build, *batch) if self._compressing else build(*batch)
        if isinstance(request, Rejected):
            return request
        await self._rate.turn()
        started = self._clock()
        scopes = self._calls[operation].scopes
        outcome, _ = await self._send_with_token(scopes, request, len(docs), MAX_ANSWER_BYTES, self._rate)
        self._on_request(operation, outcome, self._clock() - started)
        refused = isinstance(outcome, Rejected) and outcome.status == UNSUPPORTED_MEDIA_TYPE
        if not (refused and "Content-Encoding" in request.headers):
            return outcome
        if self._compressing:
            log.warning("compression_refused")
        self._compressing = False
        return await self.publish(operation, app, docs, key)

    async def ask(
        self,
        operation: Operation,
        place: Mapping[str, str] = NOTHING,
        *,
        parameters: Mapping[str, Sequence[str]] = NOTHING,
        fields: Mapping[str, Any] = NOTHING,
    ) -> Page | Failed:
        """Asks a question once and gives its answer, or why there is none; raises for neither.

        `place` holds the ids in the address, `parameters` go into the query and `fields` into the body, by
        our names for them.
        """
        question = self._questions[operation]
        request = self._question_request(question, place, parameters, fields)
        if isinstance(request, Rejected):
            return request
        rate = self._export_rate if question.export else self._rate
        await rate.turn()
        started = self._clock()
        outcome, body = await self._send_with_token(question.scopes, request, 0, MAX_LIST_BYTES, rate)
        answer = _page(question, body) if isinstance(outcome, Accepted) else _unquoted(outcome)
        told = Accepted() if isinstance(answer, Page) else answer
        self._on_request(operation, told, self._clock() - started)
        return answer

    def _batch_request(
        self, operation: Operation, app: str, docs: Sequence[Doc], key: str
    ) -> httpx.Request | Rejected:
        call = self._calls[operation]
        if len(docs) > call.max_records:
            reason = f"{len(docs)} records are more than the {call.max_records} that a request takes"
            return Rejected(NEVER_SENT, reason, too_large=True)
        if isinstance(url := self._url(call, {"app": app}), Rejected):
            return url
        try:
            body = call.body(docs, self._beside.get(operation, NOTHING))
        except TypeError:
            return Rejected(NEVER_SENT, "a record holds what JSON cannot say")
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._compressing:
            body, headers["Content-Encoding"] = gzip.compress(body, GZIP_LEVEL), "gzip"
        return self._http.build_request(call.method, url, content=body, headers=headers)

    def _question_request(
        self,
        question: Question,
        place: Mapping[str, str],
        parameters: Mapping[str, Sequence[str]],
        fields: Mapping[str, Any],
    ) -> httpx.Request | Rejected:
        if isinstance(url := self._url(question, place), Rejected):
            return url
        try:
            body = question.body(fields)
            url = url.copy_with(params=query) if (query := question.query(parameters)) else url
        except (TypeError, ValueError, httpx.InvalidURL):
            return Rejected(NEVER_SENT, "the question holds what a request cannot say")
        headers = {"Content-Type": "application/json"} if body is not None else {}
        return self._http.build_request(question.method, url, content=body, headers=headers)

    def _url(self, call: Call | Question, place: Mapping[str, str]) -> httpx.URL | Rejected:
        try:
            return httpx.URL(self._settings.api_url.rstrip("/") + call.target(place))
        except (httpx.InvalidURL, ValueError):
            return Rejected(NEVER_SENT, "an id cannot be part of an address", whole=True)

    async def _send_with_token(
        self,
        scopes: frozenset[str],
        request: httpx.Request,
        records: int,
        limit: int,
        rate: Rate,
    ) -> tuple[Outcome, bytes]:
        """What the request came to, and the body of the answer."""
        token = await self._tokens.get(scopes)
        if not isinstance(token, Token):
            return token, b""
        outcome, body = await self._send(request, token, records, limit)
        if not (isinstance(outcome, Denied) and outcome.status in _TOKEN_REFUSED):
            return outcome, body
        self._tokens.refuse(scopes, token)
        token = await self._tokens.get(scopes)
        if not isinstance(token, Token):
            return token, b""
        await rate.turn()
        return await self._send(request, token, records, limit)

    async def _send(
        self, request: httpx.Request, token: Token, records: int, limit: int
    ) -> tuple[Outcome, bytes]:
        request.headers["Authorization"] = f"Bearer {token.value}"
        answer = await exchange(self._http, request, self._settings, limit)
        if isinstance(answer, Unavailable | InDoubt):
            return answer, b""
        answer = answer.without(token.value)
        outcome = outcome_of(
            answer,
            records=records,
            wall=self._wall(),
            retry_after_cap=self._settings.retry_after_cap,
        )
        return outcome, answer.body


def _page(question: Question, body: bytes) -> Page | InDoubt:
    """The answer whose status says success."""
    try:
        return question.page(orjson.loads(body))
    except ValueError as error:
        # orjson's own words name a position and no content.
        return InDoubt(f"the API's answer is not as described: {error}")


def _unquoted(failed: Failed) -> Failed:
    """Without what a half-read success says: it may be the half of a signed address."""
    if isinstance(failed, InDoubt) and failed.status is not None and failed.status < 300:
        return InDoubt(
            f"the API answered {failed.status}, but its body is cut short or no JSON", failed.status
        )
    return failed


def _http(settings: ClientSettings, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    files = settings.certificates
    return httpx.AsyncClient(
        transport=transport,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none is kept: each would be sent back
        verify=True if files is None else FollowingContext(files),
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
