"""The API refuses a token: it is renewed once, by one caller, and the call made again."""

import asyncio
from typing import Any
from urllib.parse import parse_qs

import httpx2 as httpx
import pytest

from bridge.core.outcome import Accepted, Denied, InDoubt, Unavailable
from bridge.productiv.auth import Credentials
from tests.productiv.clients import EVENT, SAID, USAGE, HandClock, Service, once_all_wait, publish

pytestmark = pytest.mark.anyio


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
