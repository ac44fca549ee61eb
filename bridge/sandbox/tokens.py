"""The token endpoint (OAuth2 client credentials) and the tokens it gave out."""

import base64
import binascii
import hmac
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from starlette.datastructures import Headers

from bridge.sandbox.call import Answer, Call, Operation, json_answer
from bridge.sandbox.config import Credential, SandboxConfig


@dataclass(frozen=True, slots=True)
class _Grant:
    client_id: str
    scopes: frozenset[str]
    expires_at: float


class _Refused(Exception):
    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        headers = {"www-authenticate": 'Basic realm="sandbox"'} if status == 401 else {}
        self.answer = json_answer(status, {"error": error, "error_description": description}, headers)


class Tokens:
    """Gives tokens to clients with the right secret, and knows which of them are good for what.

    `clock` gives seconds. Tokens are drawn from the seed, so a run can be repeated byte by byte; they guard
    nothing but the sandbox.
    """

    name = "tokens"

    def __init__(self, config: SandboxConfig, clock: Callable[[], float]) -> None:
        self._clients = {credential.client_id: credential for credential in config.credentials}
        self._lifetime = config.token_lifetime_seconds
        self._max_tokens = config.max_tokens
        self._seed = config.seed
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forgets all tokens; those given out so far are no longer good."""
        # A fresh name for every reset: a token of before must not be good again after it.
        self._generation = getattr(self, "_generation", -1) + 1
        self._random = random.Random(f"{self._seed}/{self._generation}")  # noqa: S311  (repeatable on purpose)
        self._grants: dict[str, _Grant] = {}
        self._issued = 0

    def operations(self) -> Sequence[Operation]:
        """The token call, which needs no token itself."""
        return [Operation("get_access_token", "POST", "/oauth2/token", None, self._issue)]

    def state(self) -> dict[str, Any]:
        """Tokens issued and live."""
        self._drop_expired()
        return {"issued": self._issued, "live": len(self._grants)}

    def revoke(self, token: str) -> None:
        """Makes a token no longer good."""
        self._grants.pop(token, None)

    def revoke_all(self) -> None:
        """Makes every token given out so far no longer good."""
        self._grants.clear()

    def problem(self, token: str, scope: str) -> Answer | None:
        """None if the token is good for the scope, else the 401 or 403 to answer."""
        grant = self._grants.get(token)
        if grant is None or grant.expires_at <= self._clock():
            return unauthorized(
                "the access token is unknown, revoked or expired" if token else "no bearer token"
            )
        if scope in grant.scopes:
            return None
        description = f"the token lacks the scope {scope}"
        challenge = {"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
        return json_answer(403, {"error": "insufficient_scope", "error_description": description}, challenge)

    def _issue(self, call: Call) -> Answer:
        try:
            form = _form(call)
            credential = self._client(call.headers, form)
            scopes = _scopes(credential, form.get("scope", ""))
        except _Refused as refused:
            return refused.answer
        token = f"sandbox-{self._random.getrandbits(192):048x}"
        self._drop_expired()
        if len(self._grants) >= self._max_tokens:
            del self._grants[next(iter(self._grants))]
        self._grants[token] = _Grant(credential.client_id, scopes, self._clock() + self._lifetime)
        self._issued += 1
        document = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(self._lifetime),
            "scope": " ".join(sorted(scopes)),
        }
        return json_answer(200, document, {"cache-control": "no-store"})

    def _client(self, headers: Headers, form: Mapping[str, str]) -> Credential:
        basic = headers.get("authorization")
        if basic is not None and "client_secret" in form:
            raise _Refused(
                400, "invalid_request", "send the client secret in the body or as HTTP Basic, not both"
            )
        client_id, secret = (
            _basic(basic) if basic is not None else (form.get("client_id", ""), form.get("client_secret", ""))
        )
        credential = self._clients.get(client_id)
        if credential is None or not hmac.compare_digest(credential.client_secret.encode(), secret.encode()):
            raise _Refused(401, "invalid_client", "unknown client or wrong secret")
        return credential

    def _drop_expired(self) -> None:
        # Every token lives equally long, so they expire in the order they were given out.
        now = self._clock()
        while self._grants and next(iter(self._grants.values())).expires_at <= now:
            del self._grants[next(iter(self._grants))]


def unauthorized(description: str) -> Answer:
    """The answer to a call whose token is not good."""
    challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
    return json_answer(401, {"error": "invalid_token", "error_description": description}, challenge)


def bearer(headers: Headers) -> str:
    """The bearer token of a request, empty if there is none."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _form(call: Call) -> dict[str, str]:
    content_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise _Refused(400, "invalid_request", "Content-Type must be application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(
            call.body.decode(), keep_blank_values=True, strict_parsing=bool(call.body), errors="strict"
        )
    except ValueError as error:
        raise _Refused(400, "invalid_request", f"the form cannot be read: {error}") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _Refused(400, "invalid_request", "a form field is given twice")
    if form.get("grant_type") != "client_credentials":
        raise _Refused(400, "unsupported_grant_type", "grant_type must be client_credentials")
    return form


def _basic(header: str) -> tuple[str, str]:
    kind, _, encoded = header.partition(" ")
    try:
        if kind.lower() != "basic":
            raise ValueError
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        raise _Refused(401, "invalid_client", "the Authorization header is not HTTP Basic") from None
    if not colon:
        raise _Refused(401, "invalid_client", "the Authorization header holds no secret")
    return unquote_plus(client_id), unquote_plus(secret)  # RFC 6749, 2.3.1: both travel form-encoded


def _scopes(credential: Credential, asked: str) -> frozenset[str]:
    scopes = frozenset(asked.split()) or credential.scopes
    if foreign := scopes - credential.scopes:
        raise _Refused(400, "invalid_scope", f"the client was not given {' '.join(sorted(foreign))}")
    return scopes
