import asyncio
import base64
from typing import Any
from urllib.parse import parse_qs

import httpx2 as httpx
import pytest
from anyio import wait_all_tasks_blocked

from bridge.core.errors import ConfigError
from bridge.core.outcome import Accepted, Denied, InDoubt, Throttled, Unavailable
from bridge.productiv.auth import Credentials
from tests.productiv.clients import EVENT, SECRET, USAGE, HandClock, Service, publish

pytestmark = pytest.mark.anyio
SCOPE = "https://api.productiv.com/connector.write"


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
    ("claimed", "renewed_after"),
    [
        (3600, 3540),  # 60 s ahead
        (10, 9),  # a tenth ahead
        ("3600", 3540),
        (3600.9, 3540),
        (10**9, 86_340),  # a day at most
        (0, 54),  # assumed: a minute
        (-5, 54),
        (None, 54),
        (True, 54),
    ],
)
async def test_a_token_is_renewed_ahead_of_its_end_and_not_before(claimed: Any, renewed_after: float) -> None:
    clock = HandClock()
    service = Service()
    service.lives = claimed
    async with service.client(clock) as client:
        await publish(client)
        clock.now += renewed_after - 0.5
        await publish(client)
        assert service.bearers == ["t-1", "t-1"]
        clock.now += 0.5
        await publish(client)
        assert service.bearers == ["t-1", "t-1", "t-2"]


async def test_a_life_that_is_not_named_is_assumed() -> None:
    clock = HandClock()
    service = Service(on_token=lambda request: httpx.Response(200, json={"access_token": "t"}))
    async with service.client(clock) as client:
        await publish(client)
        clock.now += 53
        await publish(client)
    assert len(service.tokens) == 1


async def test_the_life_counts_from_before_the_token_was_asked_for() -> None:
    clock = HandClock()

    def slow(request: httpx.Request) -> httpx.Response:
        clock.now += 20
        return service.grant(request)

    service = Service(on_token=slow)
    service.lives = 100
    async with service.client(clock) as client:
        await publish(client)
        assert client.token_expires_in == 80


async def once_all_wait(request: httpx.Request) -> None:
    """Holds a token request up until every other caller waits for something."""
    if request.url.host == "login.test":
        await wait_all_tasks_blocked()


async def test_one_caller_gets_the_token_while_the_others_wait() -> None:
    service = Service()
    service.before = once_all_wait
    async with service.client() as client:
        outcomes = await asyncio.gather(*(publish(client) for _ in range(20)))
    assert outcomes == [Accepted()] * 20
    assert len(service.tokens) == 1


async def test_those_who_wait_share_a_failure_too() -> None:
    service = Service(on_token=lambda request: httpx.Response(500))
    service.before = once_all_wait
    async with service.client() as client:
        outcomes = await asyncio.gather(*(publish(client) for _ in range(20)))
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert len(service.tokens) == 1
        await publish(client)
        assert len(service.tokens) == 2


async def test_a_caller_that_gives_up_leaves_the_renewal_to_the_next() -> None:
    asked = asyncio.Event()

    async def first_hangs(request: httpx.Request) -> None:
        if not asked.is_set():
            asked.set()
            await asyncio.Event().wait()

    service = Service()
    service.before = first_hangs
    async with service.client() as client:
        first = asyncio.create_task(publish(client))
        await asked.wait()
        second = asyncio.create_task(publish(client))
        await wait_all_tasks_blocked()
        first.cancel()
        assert await second == Accepted()


def refuses(*bearers: str, status: int = 401) -> Any:
    def on_api(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status if request.headers["authorization"][7:] in bearers else 200)

    return on_api


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_renewed_once_and_the_call_made_again(status: int) -> None:
    service = Service(refuses("t-1", status=status))
    async with service.client() as client:
        assert await publish(client) == Accepted()
    assert service.bearers == ["t-1", "t-2"]
    first, second = service.api
    assert first.content == second.content
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_fresh_token_that_is_refused_too_ends_the_call(status: int) -> None:
    service = Service(refuses("t-1", "t-2", status=status))
    async with service.client() as client:
        outcome = await publish(client)
        assert isinstance(outcome, Denied)
        assert outcome.status == status
        assert service.bearers == ["t-1", "t-2"]
        assert len(service.tokens) == 2
        # The next call starts from what is held and gets its own fresh token.
        assert await publish(client) == Accepted()
        assert service.bearers == ["t-1", "t-2", "t-2", "t-3"]


async def test_other_refusals_cost_no_token() -> None:
    service = Service(refuses("t-1", status=402))
    async with service.client() as client:
        assert isinstance(await publish(client), Denied)
    assert len(service.tokens) == 1


async def test_callers_refused_with_the_same_token_share_one_renewal() -> None:
    arrived = 0
    all_here = asyncio.Event()

    async def together(request: httpx.Request) -> None:
        """Lets the old token be refused once all twenty have sent it, so that none can know better."""
        nonlocal arrived
        if request.url.host == "api.test" and request.headers["authorization"] == "Bearer t-1":
            arrived += 1
            if arrived == 20:
                all_here.set()
            await all_here.wait()
        await once_all_wait(request)

    service = Service(refuses("t-1"))
    service.before = together
    async with service.client() as client:
        outcomes = await asyncio.gather(*(publish(client) for _ in range(20)))
    assert outcomes == [Accepted()] * 20
    assert len(service.tokens) == 2


async def test_a_token_refused_late_does_not_cost_the_newer_one() -> None:
    first_sent = asyncio.Event()
    let_first_fail = asyncio.Event()

    async def late_hangs(request: httpx.Request) -> None:
        if (
            request.headers.get("idempotency-key") == "late"
            and request.headers["authorization"] == "Bearer t-1"
        ):
            first_sent.set()
            await let_first_fail.wait()

    service = Service(refuses("t-1"))
    service.before = late_hangs
    async with service.client() as client:
        late = asyncio.create_task(client.publish(USAGE, "app-1", [EVENT], "late"))
        await first_sent.wait()
        assert await publish(client) == Accepted()  # renews
        let_first_fail.set()
        assert await late == Accepted()
    assert len(service.tokens) == 2


async def test_a_rotated_secret_is_read_for_the_next_token() -> None:
    secrets = ["old", "new"]
    service = Service(refuses("t-1"))
    async with service.client(credentials=lambda: Credentials("the-id", secrets.pop(0))) as client:
        await publish(client)
    assert [parse_qs(request.content.decode())["client_secret"] for request in service.tokens] == [
        ["old"],
        ["new"],
    ]


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


SAID = "no access token: the token endpoint answered"


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


async def test_a_token_that_cannot_be_renewed_ahead_of_time_is_used_to_its_end() -> None:
    clock = HandClock()
    service = Service()
    async with service.client(clock) as client:
        await publish(client)
        service.on_token = lambda request: httpx.Response(500)
        clock.now += 3541
        assert await publish(client) == Accepted()
        assert await publish(client) == Accepted()
        assert len(service.tokens) == 2, "a pause is kept between tries"
        clock.now += 5
        assert await publish(client) == Accepted()
        assert len(service.tokens) == 3
        clock.now += 54
        assert isinstance(await publish(client), Unavailable)
        assert isinstance(await publish(client), Unavailable)
        assert len(service.tokens) == 5, (
            "without a token there is no pause: how to wait is the caller's affair"
        )
        assert service.bearers == ["t-1"] * 4


async def test_a_token_refused_while_it_cannot_be_renewed_costs_no_second_try() -> None:
    clock = HandClock()
    service = Service()
    async with service.client(clock) as client:
        await publish(client)
        service.on_api = refuses("t-1")
        service.on_token = lambda request: httpx.Response(500)
        clock.now += 3541
        assert await publish(client) == Unavailable(f"{SAID} 500", 500)
    assert len(service.tokens) == 2


async def test_a_token_refused_after_a_reset_is_renewed_all_the_same() -> None:
    def reset_and_refuse(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] == "Bearer t-2":
            return httpx.Response(200)
        client.reset()
        return httpx.Response(401)

    service = Service(reset_and_refuse)
    async with service.client() as client:
        assert await publish(client) == Accepted()


async def test_what_is_held_can_be_asked() -> None:
    clock = HandClock()
    service = Service()
    async with service.client(clock) as client:
        assert (client.token_held, client.token_expires_in, client.token_age) == (False, None, None)
        assert await client.ensure_token(USAGE) is None
        assert (client.token_held, client.token_expires_in, client.token_age) == (True, 3600.0, 0.0)
        assert service.api == []
        clock.now += 3600
        assert (client.token_held, client.token_expires_in, client.token_age) == (False, 0.0, 3600.0)
        service.on_token = lambda request: httpx.Response(401)
        assert await client.ensure_token(USAGE) == Denied(401, f"{SAID} 401; check its address")
        assert not client.token_held


async def test_reset_forgets_token_and_wait() -> None:
    service = Service()
    async with service.client() as client:
        await publish(client)
        client.reset()
        assert (client.token_held, client.token_expires_in) == (False, None)
        service.on_token = lambda request: httpx.Response(429, headers={"retry-after": "60"})
        await publish(client)
        service.on_token = service.grant
        client.reset()
        assert await publish(client) == Accepted()
    assert service.bearers == ["t-1", "t-2"]


async def test_a_token_refused_for_good_leaves_none_held() -> None:
    service = Service(refuses("t-1"))
    async with service.client() as client:
        service.on_token = lambda request: (
            service.grant(request) if not service.granted else httpx.Response(500)
        )
        assert isinstance(await publish(client), Unavailable)
        assert not client.token_held


async def test_an_answer_in_doubt_is_not_sent_again_here() -> None:
    service = Service(lambda request: httpx.Response(500))
    async with service.client() as client:
        assert isinstance(await publish(client), InDoubt)
    assert len(service.api) == 1
