"""How a token is asked for, and what each answer of the token endpoint comes to."""

import base64
from typing import Any
from urllib.parse import parse_qs

import httpx2 as httpx
import pytest

from bridge.core.errors import ConfigError
from bridge.core.outcome import Accepted, Denied, Throttled, Unavailable
from bridge.productiv.auth import Credentials
from tests.productiv.clients import SAID, SECRET, HandClock, Service, publish

pytestmark = pytest.mark.anyio
SCOPE = "https://api.productiv.com/connector.write"


# -- asking --------------------------------------------------------------------------------------------------


async def test_credentials_go_in_the_form_by_default() -> None:
    service = Service()
    async with service.client() as client:
        await publish(client)
    (request,) = service.tokens
    assert (request.method, str(request.url)) == ("POST", "https://login.test/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in request.headers
    assert parse_qs(request.content.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["the-id"],
        "client_secret": [SECRET],
        "scope": [SCOPE],
    }


async def test_credentials_go_in_the_header_with_basic() -> None:
    service = Service()
    async with service.client(token_auth="basic") as client:
        await publish(client)
    (request,) = service.tokens
    kind, _, pair = request.headers["authorization"].partition(" ")
    assert (kind, base64.b64decode(pair).decode()) == ("Basic", f"the-id:{SECRET}")
    assert parse_qs(request.content.decode()) == {"grant_type": ["client_credentials"], "scope": [SCOPE]}


async def test_odd_characters_of_a_secret_arrive_whole() -> None:
    service = Service()
    odd = "a&b=c+d/ü %41;"
    async with service.client(credentials=lambda: Credentials("i d", odd)) as client:
        await publish(client)
    fields = parse_qs(service.tokens[0].content.decode())
    assert (fields["client_id"], fields["client_secret"]) == (["i d"], [odd])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConfigError("client_secret_file: not there"), "client_secret_file: not there"),
        (FileNotFoundError("/run/s"), "reading the client id or secret: FileNotFoundError"),
        (
            UnicodeDecodeError("utf-8", b"s3cret", 0, 1, "s3cret"),
            "reading the client id or secret: UnicodeDecodeError",
        ),
    ],
)
async def test_credentials_that_cannot_be_read_pause_and_do_not_raise(error: Exception, reason: str) -> None:
    def unreadable() -> Credentials:
        raise error

    service = Service()
    async with service.client(credentials=unreadable) as client:
        assert await publish(client) == Denied(None, f"no access token: {reason}")
    assert service.tokens == service.api == []


# -- answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (httpx.Response(400, json={"error": "invalid_client"}), Denied(400, f"{SAID} 400 invalid_client")),
        (
            httpx.Response(
                400, json={"error": "invalid_scope", "error_description": "not for ann@example.com"}
            ),
            Denied(400, f"{SAID} 400 invalid_scope: not for [email]"),
        ),
        (httpx.Response(401, json={"error": "invalid_client"}), Denied(401, f"{SAID} 401 invalid_client")),
        (httpx.Response(200, json={"error": "invalid_client"}), Denied(200, f"{SAID} 200 invalid_client")),
        (httpx.Response(401), Denied(401, f"{SAID} 401; check its address")),
        (httpx.Response(404, text="<html>"), Denied(404, f"{SAID} 404; check its address")),
        (
            httpx.Response(302, headers={"location": "https://x.test"}),
            Denied(302, f"{SAID} 302; check its address"),
        ),
        (httpx.Response(429), Throttled(429, None)),
        (httpx.Response(429, headers={"retry-after": "9"}), Throttled(429, 9.0)),
        (httpx.Response(503, headers={"retry-after": "999"}), Throttled(503, 300.0)),
        (httpx.Response(503), Unavailable(f"{SAID} 503", 503)),
        (httpx.Response(500), Unavailable(f"{SAID} 500", 500)),
        (httpx.Response(408), Unavailable(f"{SAID} 408", 408)),
        (httpx.Response(425), Unavailable(f"{SAID} 425", 425)),
        *(
            (httpx.Response(200, content=content), Unavailable(f"{SAID} 200 without a usable token", 200))
            for content in (
                b"",
                b"<html>Sign in</html>",
                b"[]",
                b"null",
                b"7",
                b"\xff",
                b'{"access_token": ""}',
                b'{"access_token": " "}',
                b'{"access_token": 7}',
                b'{"access_token": "a\\nb"}',
                b'{"access_token": "\\u00fc"}',
                b'{"access_token": "t", "expires_in": []}',
                b'{"access_token": "t", "expires_in": 1e999}',
                b'{"access_token": "t", "scope": 7}',
            )
        ),
    ],
)
async def test_each_answer_of_the_token_endpoint_has_its_outcome(
    response: httpx.Response, outcome: Any
) -> None:
    service = Service(on_token=lambda request: response)
    async with service.client() as client:
        assert await publish(client) == outcome
        assert not client.token_held
    assert service.api == []


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
async def test_a_token_endpoint_out_of_reach_leaves_nothing_in_doubt(error: type[httpx.RequestError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("gone", request=request)

    async with Service(on_token=fail).client() as client:
        outcome = await publish(client)
    assert isinstance(outcome, Unavailable)
    assert outcome.reason.startswith("no access token: ")


async def test_other_scopes_granted_are_left_for_the_api_to_judge() -> None:
    fields = {"access_token": "t", "scope": "something else", "expires_in": 60}
    service = Service(on_token=lambda request: httpx.Response(200, json=fields))
    async with service.client() as client:
        assert await publish(client) == Accepted()


async def test_a_wait_asked_for_by_the_token_endpoint_is_kept_by_all() -> None:
    clock = HandClock()
    service = Service(on_token=lambda request: httpx.Response(429, headers={"retry-after": "60"}))
    async with service.client(clock) as client:
        assert await publish(client) == Throttled(429, 60.0)
        clock.now += 20
        assert await publish(client) == Throttled(429, 40.0)
        assert len(service.tokens) == 1
        service.on_token = service.grant
        clock.now += 40
        assert await publish(client) == Accepted()
