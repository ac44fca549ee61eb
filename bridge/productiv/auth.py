"""Access tokens by OAuth2 client credentials (RFC 6749, 4.4): one per set of scopes, renewed in good time."""

import asyncio
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2 as httpx
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

from bridge.core.errors import BridgeError
from bridge.core.outcome import Denied, Throttled, Unavailable
from bridge.core.redact import excerpt
from bridge.productiv.exchange import exchange
from bridge.productiv.retry_after import retry_after
from bridge.productiv.settings import ClientSettings
from bridge.productiv.statuses import Answer

# All in seconds. A token is renewed 60 s before it ends, or a tenth of its life if that is less: 60 s is two
# read timeouts, so that a request sent with it has been judged before it ends.
RENEW_AHEAD = 60.0
RENEW_SHARE = 0.1
# Where the answer names no life, or none worth the name. Short, and a 401 renews a token in any case.
ASSUMED_LIFE = 60.0
# Renewed daily at least, whatever life the answer claims.
LONGEST_LIFE = 86_400.0
# Between tries to renew a token that is still good.
RENEW_PAUSE = 5.0
# What a header can carry as it is. Common servers take some 8 KiB of headers, and answer to more as if the
# request were at fault.
_USABLE = re.compile("[!-~]{1,16384}")

TokenFailure = Unavailable | Throttled | Denied


@dataclass(frozen=True, slots=True)
class Credentials:
    """The client id and secret, as they go on the wire: without blanks or line ends of a file around them."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and the monotonic seconds at which it was asked for, is to be renewed, and ends."""

    value: str = field(repr=False)
    asked_at: float
    renew_at: float
    expires_at: float


@dataclass(slots=True)
class _Slot:
    """What is known of the token for one set of scopes."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tries: int = 0
    token: Token | None = None
    failure: TokenFailure | None = None  # of the last try; None if it succeeded
    hold_until: float = float("-inf")  # monotonic seconds before which no other try is made

    def known(self, now: float) -> Token | TokenFailure | None:
        """What a caller can be answered without asking; None if it has to ask."""
        if now < self.hold_until or (self.token is not None and now < self.token.renew_at):
            return self.last(now)
        return None

    def last(self, now: float) -> Token | TokenFailure | None:
        """What the last try came to; None before the first, and if its token was refused since."""
        if self.token is not None and (self.failure is None or now < self.token.expires_at):
            return self.token
        if isinstance(self.failure, Throttled) and self.hold_until > now:
            return replace(self.failure, retry_after=self.hold_until - now)
        return self.failure


class Tokens:
    """The tokens of one pair of id and secret, which are read anew for each request to the token endpoint."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        settings: ClientSettings,
        credentials: Callable[[], Credentials],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._http = http
        self._settings = settings
        self._credentials = credentials
        self._clock = clock
        self._wall = wall
        self._slots: dict[frozenset[str], _Slot] = {}

    async def get(self, scopes: frozenset[str]) -> Token | TokenFailure:
        """A token for the scopes, or why there is none. One caller asks; those who wait share what it got.

        A token that could not be renewed ahead of time is used for as long as it lives.
        """
        slot = self._slots.setdefault(scopes, _Slot())
        answer = slot.known(self._clock())
        if answer is None:
            seen = slot.tries
            async with slot.lock:
                # Another caller may have tried while this one waited, and what it got been refused since.
                answer = slot.last(self._clock()) if slot.tries != seen else None
                if answer is None:
                    answer = await self._renew(slot, scopes)
        return answer

    def refuse(self, scopes: frozenset[str], token: Token) -> None:
        """Drops a token that the API refused, unless another has taken its place already."""
        slot = self._slots.get(scopes)
        if slot is not None and slot.token is token:
            slot.token = None

    def reset(self) -> None:
        """Forgets every token, failure and wait: the next call asks with the credentials of that moment."""
        self._slots.clear()

    @property
    def held(self) -> bool:
        """Whether there is a living token for each set of scopes asked for so far, and for one at least."""
        remaining = self.expires_in
        return remaining is not None and remaining > 0

    @property
    def expires_in(self) -> float | None:
        """Seconds until the first token ends, below 0 once it has; None while one is missing."""
        tokens = [slot.token for slot in list(self._slots.values())]  # metrics ask from another thread
        ends = [token.expires_at for token in tokens if token is not None]
        return min(ends) - self._clock() if ends and len(ends) == len(tokens) else None

    @property
    def age(self) -> float | None:
        """Seconds since the oldest token in use was asked for; None while there is none."""
        asked = [token.asked_at for slot in list(self._slots.values()) if (token := slot.token) is not None]
        return self._clock() - min(asked) if asked else None

    async def _renew(self, slot: _Slot, scopes: frozenset[str]) -> Token | TokenFailure:
        fetched = await self._fetch(scopes)
        now = self._clock()
        slot.tries += 1
        if isinstance(fetched, Token):
            slot.token, slot.failure, slot.hold_until = fetched, None, float("-inf")
            return fetched
        slot.failure = fetched
        wait = fetched.retry_after if isinstance(fetched, Throttled) else None
        if slot.token is not None and now < slot.token.expires_at:
            slot.hold_until = now + (wait or RENEW_PAUSE)
            return slot.token
        slot.hold_until = now + (wait or 0.0)
        return fetched

    async def _fetch(self, scopes: frozenset[str]) -> Token | TokenFailure:
        try:
            credentials = self._credentials()
        except BridgeError as error:
            return Denied(None, f"no access token: {error}")
        except (OSError, ValueError) as error:
            # By its kind only: what a decoding error says may hold a piece of the secret.
            return Denied(None, f"no access token: reading the client id or secret: {type(error).__name__}")
        asked_at = self._clock()
        answer = await exchange(self._http, self._request(credentials, scopes), self._settings)
        if not isinstance(answer, Answer):
            # In doubt or not: a token request carries no record, so nothing of a batch has left.
            return Unavailable(f"no access token: {answer.reason}")
        return self._judge(answer.without(credentials.client_secret), asked_at)

    def _request(self, credentials: Credentials, scopes: frozenset[str]) -> httpx.Request:
        basic = self._settings.token_auth == "basic"  # noqa: S105  (a name, no secret)
        form = BackendApplicationClient(credentials.client_id).prepare_request_body(
            scope=sorted(scopes),
            include_client_id=not basic,
            client_secret=None if basic else credentials.client_secret,
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic:
            # The id and secret as they are: the vendor writes base64(id:secret), without the form encoding
            # that RFC 6749, 2.3.1 puts before it. For letters and digits it is the same.
            pair = f"{credentials.client_id}:{credentials.client_secret}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return self._http.build_request("POST", self._settings.token_url, content=form, headers=headers)

    def _judge(self, answer: Answer, asked_at: float) -> Token | TokenFailure:
        status = answer.status
        said = f"no access token: the token endpoint answered {status}"
        wait = retry_after(answer.retry_after, wall=self._wall(), cap=self._settings.retry_after_cap)
        if status == 429 or (status == 503 and wait is not None):
            return Throttled(status, wait)
        if status in (408, 425) or status >= 500:
            return Unavailable(said, status)
        try:
            fields = _fields(answer.body)
        except OAuth2Error as error:
            return Denied(status, f"{said} {_code(error)}")
        if not 200 <= status < 300:
            return Denied(status, f"{said}; check its address")
        value = fields.get("access_token") if answer.complete else None
        if not isinstance(value, str) or not _USABLE.fullmatch(value):
            return Unavailable(f"{said} without a usable token", status)
        return _token(value, fields.get("expires_in"), asked_at)


def _fields(body: bytes) -> dict[str, Any]:
    """The fields of a token answer, none where it is not one.

    Raises:
        OAuth2Error: the answer names an error (RFC 6749, 5.2).
    """
    try:
        return dict(BackendApplicationClient("").parse_request_body_response(body.decode(errors="replace")))
    except OAuth2Error as error:
        if error.error == "missing_token":
            return {}
        raise
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        # The library expects a JSON object with fields of the right types and says so in many ways.
        return {}


def _code(error: OAuth2Error) -> str:
    description = error.description if isinstance(error.description, str) else ""
    return excerpt(f"{error.error}: {description}" if description else str(error.error), 200)


def _token(value: str, claimed: object, asked_at: float) -> Token:
    """Its life counts from before it was asked for, so that it never ends later at the API than here."""
    life = ASSUMED_LIFE
    if isinstance(claimed, (int, float)) and not isinstance(claimed, bool) and claimed > 0:
        life = float(min(claimed, LONGEST_LIFE))  # before a float is made of it: no whole number is too large
    expires_at = asked_at + life
    return Token(value, asked_at, expires_at - min(RENEW_AHEAD, life * RENEW_SHARE), expires_at)
