import gzip
from typing import Any

import httpx2 as httpx
import orjson
import pytest

from bridge import __version__
from bridge.core.outcome import Accepted, Denied, InDoubt, Outcome, Rejected, Throttled, Unavailable
from bridge.core.ports import Api
from bridge.core.stream import Operation
from tests.productiv.clients import EVENT, USAGE, HandClock, Service, publish

pytestmark = pytest.mark.anyio


async def test_a_request_carries_what_the_contract_says() -> None:
    service = Service()
    async with service.client(api_url="https://api.test/gate/") as client:
        api: Api = client
        assert await api.publish(USAGE, "a/b c?", [EVENT, EVENT], "key-7") == Accepted()
    (request,) = service.api
    assert request.method == "POST"
    assert request.url.raw_path == b"/gate/services/push/v1/customer/apps/a%2Fb%20c%3F/usage-events"
    assert request.headers["authorization"] == "Bearer t-1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "key-7"
    assert request.headers["user-agent"] == f"productiv-bridge/{__version__}"
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert orjson.loads(request.content) == {"events": [EVENT, EVENT]}


async def test_a_batch_is_compressed_if_the_settings_say_so() -> None:
    service = Service()
    async with service.client(compression="gzip") as client:
        assert await publish(client, count=1000) == Accepted()
    (request,) = service.api
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["content-length"] == str(len(request.content))
    assert len(request.content) < 1000
    assert orjson.loads(gzip.decompress(request.content)) == {"events": [EVENT] * 1000}


async def test_an_api_that_takes_no_compressed_body_gets_it_as_it_is_and_all_others_from_then_on() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(415 if "content-encoding" in request.headers else 200)

    service, told = Service(refuse), list[Outcome]()
    on_request = lambda operation, outcome, seconds: told.append(outcome)  # noqa: E731
    async with service.client(compression="gzip", on_request=on_request) as client:
        assert await publish(client) == await publish(client) == Accepted()
    assert [request.headers.get("content-encoding") for request in service.api] == ["gzip", None, None]
    assert [orjson.loads(request.content) for request in service.api[1:]] == [{"events": [EVENT]}] * 2
    assert [type(outcome) for outcome in told] == [Rejected, Accepted, Accepted]


async def test_an_api_that_takes_no_json_is_asked_once() -> None:
    service = Service(lambda request: httpx.Response(415))
    async with service.client() as client:
        assert isinstance(await publish(client), Rejected)
    assert len(service.api) == 1


@pytest.mark.parametrize("app", ["", ".", "..", "\ud800", "x" * 70_000])
async def test_an_app_that_no_address_can_hold_is_rejected_as_a_whole(app: str) -> None:
    service = Service()
    async with service.client() as client:
        assert await publish(client, app) == Rejected(0, "an id cannot be part of an address", whole=True)
    assert service.api == []


async def test_a_record_that_json_cannot_say_is_rejected_so_that_splitting_finds_it() -> None:
    service = Service()
    async with service.client() as client:
        outcome = await client.publish(USAGE, "app-1", [EVENT, {"email": "\ud800"}], "key")
    assert outcome == Rejected(0, "a record holds what JSON cannot say")
    assert service.api == []


async def test_more_records_than_a_request_takes_are_to_be_split() -> None:
    service = Service()
    async with service.client() as client:
        outcome = await publish(client, count=1001)
        assert outcome == Rejected(
            0, "1001 records are more than the 1000 that a request takes", too_large=True
        )
        assert await publish(client, count=1000) == Accepted()
    assert len(service.api) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError, Unavailable),
        (httpx.ConnectTimeout, Unavailable),
        (httpx.PoolTimeout, Unavailable),
        (httpx.ProxyError, Unavailable),
        (httpx.UnsupportedProtocol, Unavailable),
        (httpx.ReadTimeout, InDoubt),
        (httpx.WriteTimeout, InDoubt),
        (httpx.ReadError, InDoubt),
        (httpx.WriteError, InDoubt),
        (httpx.CloseError, InDoubt),
        (httpx.LocalProtocolError, InDoubt),
        (httpx.RemoteProtocolError, InDoubt),
        (httpx.DecodingError, InDoubt),
    ],
)
async def test_a_failure_is_in_doubt_unless_nothing_can_have_left(
    error: type[httpx.RequestError], kind: type
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("for ann@example.com", request=request)

    async with Service(fail).client() as client:
        outcome = await publish(client)
    assert isinstance(outcome, Unavailable | InDoubt)
    assert type(outcome) is kind
    assert outcome.reason.endswith(f"api.test: {error.__name__}: for [email]")


async def test_retry_after_is_read_against_the_given_wall_clock_and_capped() -> None:
    service = Service(
        lambda request: httpx.Response(429, headers={"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"})
    )
    async with service.client(wall=lambda: 20.0) as client:
        assert await publish(client) == Throttled(429, 40.0)
    async with service.client(wall=lambda: 20.0, retry_after_cap=30) as client:
        assert await publish(client) == Throttled(429, 30.0)


async def test_item_errors_are_held_against_the_size_of_the_batch() -> None:
    service = Service(lambda request: httpx.Response(400, json={"errors": [{"index": 1}, {"index": 2}]}))
    async with service.client() as client:
        outcome = await publish(client, count=2)
    assert isinstance(outcome, Rejected)
    assert [item.index for item in outcome.items] == [1]


async def test_a_redirect_is_not_followed_and_pauses_the_lane() -> None:
    service = Service(lambda request: httpx.Response(307, headers={"location": "https://elsewhere.test/"}))
    async with service.client() as client:
        outcome = await publish(client)
    assert isinstance(outcome, Denied)
    assert outcome.status == 307
    assert {request.url.host for request in service.api} == {"api.test"}
    assert len(service.api) == 1


async def test_each_call_is_reported_once_with_its_time() -> None:
    clock = HandClock()
    told: list[tuple[Operation, Outcome, float]] = []

    def slow(request: httpx.Request) -> httpx.Response:
        clock.now += 2
        return httpx.Response(401 if request.headers["authorization"] == "Bearer t-1" else 200)

    service = Service(slow)

    async with service.client(clock, on_request=lambda *about: told.append(about)) as client:
        await publish(client)
        await publish(client, "..")
    assert told == [(USAGE, Accepted(), 4.0)]


async def test_turns_are_counted_by_the_limit_that_they_wait_for() -> None:
    async with Service().client() as client:
        await publish(client)
        await publish(client)
        await client.ask(Operation.LIST_WORKFLOWS)
        assert {name: rate.turns for name, rate in client.rates.items()} == {"push": 2, "export": 1}


async def test_a_contract_nobody_wrote_is_refused_at_once() -> None:
    about: dict[str, Any] = {"contract": "imagined"}
    with pytest.raises(KeyError):
        Service().client(**about)
