"""The client against real sockets: what becomes of a batch when the wire misbehaves."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from bridge.core.outcome import Accepted, Denied, InDoubt, Rejected, Throttled, Unavailable
from bridge.core.stream import Operation
from bridge.productiv.client import Client
from bridge.productiv.exchange import MAX_ANSWER_BYTES
from tests.productiv.clients import client_on, publish
from tests.productiv.wire import Do, Script, Seen, Wire, reply

pytestmark = pytest.mark.anyio

OK = reply(200)


def always(*script: bytes | Do) -> Wire:
    return Wire(lambda request: script)


@pytest.fixture
async def closed_port() -> AsyncIterator[int]:
    """A port on which nothing listens, kept from others while the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_batches_share_a_connection() -> None:
    async with always(OK) as wire, client_on(wire.url) as client:
        for _ in range(5):
            assert await publish(client) == Accepted()
        assert len(wire.seen) == 5
        assert wire.connections == 1


async def test_a_closed_client_leaves_no_connection_open() -> None:
    async with always(OK) as wire:
        async with client_on(wire.url) as client:
            await publish(client)
        await wire.left()


async def test_the_path_arrives_as_it_was_quoted() -> None:
    async with always(OK) as wire, client_on(wire.url) as client:
        await publish(client, "a/../b%2F?x=1#ü")
        assert wire.seen[0].target == (
            "/services/push/v1/customer/apps/a%2F..%2Fb%252F%3Fx%3D1%23%C3%BC/usage-events"
        )


async def test_nobody_there_is_unavailable(closed_port: int) -> None:
    async with always(OK) as wire:
        async with client_on(wire.url, api_url=f"http://127.0.0.1:{closed_port}") as client:
            outcome = await publish(client)
        assert isinstance(outcome, Unavailable)
        assert outcome.reason.startswith("no connection to 127.0.0.1: ConnectError")


async def test_nobody_at_the_token_endpoint_is_unavailable(closed_port: int) -> None:
    async with always(OK) as wire:
        async with client_on(wire.url, token_url=f"http://127.0.0.1:{closed_port}/token") as client:
            assert isinstance(await publish(client), Unavailable)
        assert wire.seen == []


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([Do.RESET], id="reset instead of an answer"),
        pytest.param([Do.CLOSE], id="closed instead of an answer"),
        pytest.param([b"HTTP/1.1 20", Do.CLOSE], id="cut in the status line"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Le", Do.RESET], id="cut in the headers"),
        pytest.param([b"ICY 200 OK\r\n\r\n", Do.CLOSE], id="no HTTP"),
        pytest.param([reply(200, b"{}", length=3), Do.CLOSE], id="success with its body cut"),
        pytest.param([reply(200, b"{}", length=3), Do.RESET], id="success with its body reset"),
        pytest.param(
            [reply(200, b"not gzip", Content_Encoding="gzip")], id="success with a body that does not unpack"
        ),
    ],
)
async def test_an_answer_lost_after_sending_is_in_doubt(script: Script) -> None:
    async with always(*script) as wire, client_on(wire.url) as client:
        assert isinstance(await publish(client), InDoubt)
        assert len(wire.seen) == 1


async def test_a_late_answer_is_in_doubt() -> None:
    async with always(Do.HANG) as wire, client_on(wire.url, read_timeout=0.05) as client:
        outcome = await asyncio.wait_for(publish(client), 2)
        assert isinstance(outcome, InDoubt)
        assert "ReadTimeout" in outcome.reason


async def test_a_late_body_of_a_success_is_in_doubt() -> None:
    async with (
        always(reply(200, length=10), Do.HANG) as wire,
        client_on(wire.url, read_timeout=0.05) as client,
    ):
        assert isinstance(await asyncio.wait_for(publish(client), 2), InDoubt)


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX-Slow: ", reply(200, length=10**6)], ids=["headers", "body"]
)
async def test_a_trickling_answer_is_given_up(start: bytes) -> None:
    limits = {"pool_timeout": 0.1, "connect_timeout": 0.1, "write_timeout": 0.1, "read_timeout": 0.1}
    async with always(start, Do.TRICKLE) as wire, client_on(wire.url, **limits) as client:
        assert isinstance(await asyncio.wait_for(publish(client), 10), InDoubt)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Rejected), (401, Denied), (429, Throttled), (503, Unavailable), (500, InDoubt)]
)
async def test_outside_the_2xx_the_status_decides_though_the_body_is_cut(status: int, kind: type) -> None:
    async with always(reply(status, b"{", length=9), Do.CLOSE) as wire, client_on(wire.url) as client:
        assert type(await publish(client)) is kind


async def test_a_refusal_before_the_whole_batch_was_sent_is_heard() -> None:
    async with always(reply(413, Connection="close"), Do.CLOSE) as wire, client_on(wire.url) as client:
        wire.reads_batches = False
        outcome = await publish(client, count=1000)
        assert isinstance(outcome, Rejected)
        assert outcome.too_large


@pytest.mark.parametrize(("status", "kind"), [(200, InDoubt), (400, Rejected)])
async def test_an_endless_answer_is_read_only_up_to_a_limit(status: int, kind: type) -> None:
    size = 64 * MAX_ANSWER_BYTES
    piece = b" " * MAX_ANSWER_BYTES

    def flood(request: Seen) -> Script:
        return [reply(status, length=size), *[piece] * 64]

    async with Wire(flood) as wire, client_on(wire.url, max_connections=1, pool_timeout=0.5) as client:
        assert type(await publish(client)) is kind
        # What the server could write is what was read and what the two socket buffers hold.
        assert wire.written < size / 2
        assert type(await publish(client)) is kind, "the connection was given back"


async def test_a_redirect_never_takes_the_token_to_another_address() -> None:
    async with always(OK) as other, Wire(lambda request: [reply(307, Location=f"{other.url}/x")]) as wire:
        async with client_on(wire.url) as client:
            outcome = await publish(client)
        assert isinstance(outcome, Denied)
        assert f"to {other.url}/x" in outcome.reason
        assert (len(wire.seen), other.connections) == (1, 0)


async def test_no_free_connection_is_unavailable() -> None:
    reached = asyncio.Event()

    def hang(request: Seen) -> Script:
        reached.set()
        return [Do.HANG]

    async with Wire(hang) as wire, client_on(wire.url, max_connections=1, pool_timeout=0.05) as client:
        first = asyncio.create_task(publish(client))
        await reached.wait()
        outcome = await asyncio.wait_for(publish(client), 2)
        assert isinstance(outcome, Unavailable)
        assert "PoolTimeout" in outcome.reason
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_cancelled_call_gives_its_connection_back() -> None:
    reached = asyncio.Event()

    def first_hangs(request: Seen) -> Script:
        if reached.is_set():
            return [OK]
        reached.set()
        return [Do.HANG]

    async with Wire(first_hangs) as wire, client_on(wire.url, max_connections=1) as client:
        first = asyncio.create_task(publish(client))
        await reached.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await publish(client) == Accepted()


async def export(client: Client) -> object:
    return await client.ask(Operation.GET_APP_SUMMARIES)


@pytest.mark.parametrize(("call", "limit"), [(publish, "rate"), (export, "export_rate")])
async def test_the_rate_is_kept_also_by_callers_at_once_and_by_second_tries(
    call: Callable[[Client], Awaitable[object]], limit: str
) -> None:
    times: list[float] = []

    def timed(request: Seen) -> Script:
        times.append(asyncio.get_running_loop().time())
        return [reply(401)] if len(times) == 1 else [OK]

    settings: dict[str, Any] = {limit: 50}
    async with Wire(timed) as wire, client_on(wire.url, **settings) as client:
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(call(client) for _ in range(5)))
    assert len(times) == 6
    # 20 ms apart, but for what may be caught up on. What holds a request up can only make the last one later.
    assert times[-1] - began > 4 * 0.02


async def test_what_is_pushed_does_not_wait_for_what_is_exported() -> None:
    async with always(OK) as wire, client_on(wire.url, export_rate=0.001) as client:
        await export(client)
        assert await publish(client) == Accepted()


async def test_a_proxy_of_the_environment_is_not_used_on_the_same_machine(
    closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with always(OK) as wire:
        for url in (wire.url, f"http://localhost:{wire.port}"):
            async with client_on(url) as client:
                assert await publish(client) == Accepted()
    async with client_on("http://api.invalid") as client:
        outcome = await publish(client)
        assert isinstance(outcome, Unavailable)
