"""How long a token is used, when it is renewed, and that callers share one renewal."""

import asyncio
from typing import Any

import httpx2 as httpx
import pytest
from anyio import wait_all_tasks_blocked

from bridge.core.outcome import Accepted, Denied, Unavailable
from tests.productiv.clients import SAID, USAGE, HandClock, Service, once_all_wait, publish

pytestmark = pytest.mark.anyio


# -- its life ------------------------------------------------------------------------------------------------


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


# -- many callers --------------------------------------------------------------------------------------------


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
