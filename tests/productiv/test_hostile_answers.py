"""Answers that nobody would send by accident: each comes to an outcome with a reason, and none is kept."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import get_args
from urllib.parse import urlencode

import httpx2 as httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.core.outcome import Accepted, InDoubt, Outcome, Throttled, Unavailable
from bridge.core.polling import Page
from bridge.core.stream import Operation
from bridge.productiv.exchange import MAX_ANSWER_BYTES
from bridge.productiv.statuses import Answer
from tests.productiv.clients import Service, client_on, publish
from tests.productiv.wire import Wire, reply

pytestmark = pytest.mark.anyio

DEEP = b"[" * 1000 + b"]" * 1000
HEADERS = st.sampled_from(
    ["retry-after", "location", "set-cookie", "content-type", "content-encoding", "content-length", "x"]
)
VALUES = st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\r\n\0")) | st.sampled_from(
    [b"gzip", b"deflate", b"br, gzip", b"http://[", b"//\xff", b"1" * 500, b"a=b; expires=-1"]
)
BODIES = st.binary(max_size=40) | st.sampled_from(
    [
        DEEP,
        b'{"success":' + DEEP + b"}",
        b'{"errors":[{"index":' + b"9" * 5000 + b"}]}",
        b'{"errors":[{"index":0,"message":"\\ud800"}]}',
        b'{"users":[{"email":"a","role":' + DEEP[500:-500] + b"}]}",
        b'{"apps":[{"ApplicationId":"' + b"x" * 70_000 + b'"}],"nextPageToken":{}}',
        b"access_token=" + b"t" * 20_000,
        b'{"access_token":"t","expires_in":' + b"9" * 400 + b"}",
        b'{"access_token":"t","scope":[' + DEEP + b"]}",
        b'{"error":' + DEEP + b"}",
        b'{"error":{"a":[1]},"error_description":7}',
        b"[" * 100_000,
    ]
)


@dataclass(frozen=True)
class Said:
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def __call__(self, request: httpx.Request) -> httpx.Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield self.body

        return httpx.Response(self.status, headers=self.headers, content=pieces())


ANSWERS = st.builds(
    Said, st.integers(100, 999), st.lists(st.tuples(HEADERS.map(str.encode), VALUES), max_size=3), BODIES
)
QUESTIONS = st.sampled_from([Operation.GET_USERS, Operation.GET_APP_SUMMARIES, Operation.GET_AUDIT_EVENTS])


def told(came: Outcome | Page) -> None:
    """What is no success says why, on one line."""
    assert isinstance(came, (Page, *get_args(Outcome)))
    if not isinstance(came, Page | Accepted | Throttled):
        assert came.reason
        assert came.reason.isprintable()


@given(ANSWERS, QUESTIONS)
@example(Said(200, [], b'{"success":' + DEEP + b"}"), Operation.GET_USERS)
async def test_any_answer_of_the_api_comes_to_an_outcome(answer: Said, asked: Operation) -> None:
    async with Service(answer).client() as client:
        told(await publish(client))
        told(await client.ask(asked, {"app": "7"}))


@given(ANSWERS)
@example(Said(200, [], b"[" * 100_000))
@example(Said(200, [], b'{"access_token":"t","expires_in":' + b"9" * 400 + b"}"))
async def test_any_answer_of_the_token_endpoint_comes_to_an_outcome(answer: Said) -> None:
    async with Service(on_token=answer).client() as client:
        told(await publish(client))


@pytest.mark.parametrize(
    "token",
    ["t" * 16_385, "t\r\nX-Evil: 1", "t ", " t", "t\0", "t\x7f", "\u00fc", "t" * (MAX_ANSWER_BYTES + 1)],
    ids=repr,
)
@pytest.mark.parametrize("form", [False, True])
async def test_a_token_that_no_header_can_carry_is_none(token: str, form: bool) -> None:
    """A server that finds the headers too long answers as if the records were at fault."""
    fields = {"access_token": token, "expires_in": "60"}
    body = urlencode(fields).encode() if form else json.dumps(fields).encode()
    service = Service(on_token=Said(200, [], body))
    async with service.client() as client:
        outcome = await publish(client)
    assert isinstance(outcome, Unavailable)
    assert outcome.reason.endswith("without a usable token")
    assert service.api == []


async def test_no_cookie_is_kept_or_sent() -> None:
    def sets(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"set-cookie": f"id-{len(service.api)}=1; Max-Age=9999"})

    service = Service(sets)
    async with service.client() as client:
        for _ in range(3):
            assert await publish(client) == Accepted()
    assert not any("cookie" in request.headers for request in service.api)


async def test_a_packed_answer_is_unpacked_up_to_the_limit() -> None:
    packed = reply(200, gzip.compress(b" " * 32 * MAX_ANSWER_BYTES, 1), Content_Encoding="gzip")
    async with Wire(lambda request: [packed]) as wire, client_on(wire.url) as client:
        tracemalloc.start()
        try:
            assert isinstance(await publish(client), InDoubt)
            assert tracemalloc.get_traced_memory()[1] < 8 * MAX_ANSWER_BYTES
        finally:
            tracemalloc.stop()


async def test_encodings_within_each_other_are_not_unpacked() -> None:
    """Three of them can make hours of work of 64 KB, for nothing, and without a look at limit and clock."""
    body = gzip.compress(zlib.compress(b"{}"))
    answer = Said(200, [(b"content-encoding", b"deflate, gzip")], body)
    async with Service(answer).client() as client:
        assert isinstance(await publish(client), InDoubt)


async def test_one_packed_answer_is_read_though_none_was_asked_for() -> None:
    body = gzip.compress(b'{"users": [{"email": "a@example.com"}]}')
    async with Service(Said(200, [(b"content-encoding", b"gzip")], body)).client() as client:
        page = await client.ask(Operation.GET_USERS, {"app": "7"})
    assert isinstance(page, Page)
    assert page.rows == [{"email": "a@example.com"}]


@pytest.mark.parametrize(
    "head", [b"X-Long: " + b"x" * 1_000_000, b"\r\n".join(b"X-%d: 1" % n for n in range(100_000))]
)
async def test_headers_are_read_up_to_a_limit(head: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + head + b"\r\nContent-Length: 0\r\n\r\n"
    async with Wire(lambda request: [answer]) as wire, client_on(wire.url) as client:
        assert isinstance(await publish(client), InDoubt)


async def test_chunks_without_an_end_are_read_up_to_the_limit() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    async with Wire(lambda request: [head, *[piece] * 1024]) as wire, client_on(wire.url) as client:
        assert isinstance(await publish(client), InDoubt)
        assert wire.written < 32 * MAX_ANSWER_BYTES


def test_a_secret_of_one_character_makes_no_ten_bodies_of_one() -> None:
    body = Answer(400, b"a" * 5_000_000).without("a").body
    assert body.startswith(b"[redacted][redacted]")
    assert len(body) < 2 * 5_000_000
