"""What goes to a signed address, and what each answer means for the file."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2 as httpx
import pytest

from bridge.productiv.storage import NotStored, Storage, Stored
from tests.productiv.clients import SETTINGS
from tests.productiv.wire import Do, Wire, reply

pytestmark = pytest.mark.anyio
SIGNED = "https://s.test/bucket/f?X-Signature=plainsigned"


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def storage_at(api_url: str) -> Storage:
    return Storage(replace(SETTINGS, api_url=api_url))


async def put(answer: httpx.Response, url: str = SIGNED, api_url: str = "https://api.test") -> object:
    storage = Storage(replace(SETTINGS, api_url=api_url), httpx.MockTransport(lambda request: answer))
    async with storage:
        return await storage.put(url, pieces(b"x"), 1)


async def test_the_body_goes_out_with_its_length_and_without_credentials() -> None:
    async with Wire(lambda request: [reply(200)]) as wire, storage_at(wire.url) as storage:
        result = await storage.put(f"{wire.url}/f?X-Signature=s", pieces(b"ab", b"c"), 3)
    assert result == Stored()
    (request,) = wire.seen
    assert (request.method, request.target, request.body) == ("PUT", "/f?X-Signature=s", b"abc")
    assert set(request.headers) - {""} == {
        "host", "accept", "accept-encoding", "connection", "user-agent", "content-length",
    }  # fmt: skip
    assert request.headers["content-length"] == "3"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (201, None),
        (204, None),
        (400, "refused"),
        (401, "expired"),
        (403, "expired"),
        (404, "expired"),
        (410, "expired"),
        (413, "refused"),
        (301, "refused"),
        (408, "trouble"),
        (425, "trouble"),
        (429, "trouble"),
        (500, "trouble"),
        (503, "trouble"),
    ],
)
async def test_a_status_says_what_to_do_and_its_body_is_not_quoted(status: int, kind: str | None) -> None:
    answer = httpx.Response(status, content=b"<StringToSign>plainsigned", headers={"location": SIGNED})
    result = await put(answer)
    expected = Stored() if kind is None else NotStored(kind, f"s.test answered {status}")  # type: ignore[arg-type]
    assert result == expected


async def test_a_redirect_is_not_followed() -> None:
    async with (
        Wire(lambda request: [reply(200)]) as other,
        Wire(lambda request: [reply(307, Location=f"{other.url}/g")]) as wire,
        storage_at(wire.url) as storage,
    ):
        result = await storage.put(f"{wire.url}/f", pieces(b"x"), 1)
        assert isinstance(result, NotStored)
        assert other.connections == 0


async def test_nothing_is_sent_in_the_clear_where_the_api_has_tls() -> None:
    result = await put(httpx.Response(200), "http://s.test/f")
    assert result == NotStored("refused", "the API gave an address without TLS; nothing is sent in the clear")
    assert await put(httpx.Response(200), "http://s.test/f", api_url="http://api.test") == Stored()
    assert await put(httpx.Response(200), SIGNED, api_url="http://api.test") == Stored()


@pytest.mark.parametrize(
    "url", ["ftp://s.test/plainsigned", "plainsigned", "https:///plainsigned", "https://x:y/plainsigned", ""]
)
async def test_what_is_no_address_is_refused_without_showing_it(url: str) -> None:
    result = await put(httpx.Response(200), url, api_url="http://api.test")
    assert isinstance(result, NotStored)
    assert result.kind == "refused"
    assert "plainsigned" not in result.reason


@pytest.mark.parametrize("step", [Do.RESET, Do.CLOSE])
async def test_a_lost_answer_is_trouble(step: Do) -> None:
    async with Wire(lambda request: [step]) as wire, storage_at(wire.url) as storage:
        result = await storage.put(f"{wire.url}/f?X-Signature=plainsigned", pieces(b"x"), 1)
    assert isinstance(result, NotStored)
    assert result.kind == "trouble"
    assert result.reason.startswith("no answer from 127.0.0.1: ")
    assert "plainsigned" not in result.reason
