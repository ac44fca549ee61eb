"""Puts files to signed addresses. Such an address is a secret: whoever holds it may write the file.

The client has no token and no cookies, so that none can reach the storage, and no address is ever shown.
"""

import logging
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Literal, Self

import httpx2 as httpx

from bridge import __version__
from bridge.productiv.settings import ClientSettings


@dataclass(frozen=True, slots=True)
class Stored:
    """The storage has the whole file."""


@dataclass(frozen=True, slots=True)
class NotStored:
    """It does not, or nobody knows. A file may be put again in any case: it takes its own place.

    `expired`: a fresh address may help; `trouble`: the same one may, later; `refused`: nothing will.
    """

    kind: Literal["expired", "trouble", "refused"]
    reason: str


class Storage:
    """The other end of signed addresses. `transport` stands in for the network in tests."""

    def __init__(self, settings: ClientSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._plain_allowed = httpx.URL(settings.api_url).scheme == "http"
        logging.getLogger("httpx2").addFilter(_hide_addresses)
        self._http = httpx.AsyncClient(
            transport=transport,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            mounts={f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")},
            headers={"User-Agent": f"productiv-bridge/{__version__}"},
            follow_redirects=False,
            timeout=httpx.Timeout(
                connect=settings.connect_timeout,
                write=settings.write_timeout,
                read=settings.read_timeout,
                pool=None,  # how many go at once is for the caller to say
            ),
            limits=httpx.Limits(max_connections=None),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def put(self, url: str, chunks: AsyncIterator[bytes], size: int) -> Stored | NotStored:
        """Sends `size` bytes to a signed address; raises only what `chunks` raises."""
        if not (address := _parsed(url)).host:
            return NotStored("refused", "the API gave an address that is none")
        if address.scheme != "https" and not (address.scheme == "http" and self._plain_allowed):
            return NotStored("refused", "the API gave an address without TLS; nothing is sent in the clear")
        # With the length the body goes out as it is, and not in the chunked form that object stores refuse.
        request = self._http.build_request(
            "PUT", address, content=chunks, headers={"Content-Length": str(size)}
        )
        try:
            response = await self._http.send(request, stream=True)
        except (httpx.HTTPError, ssl.SSLError) as error:
            return NotStored("trouble", f"no answer from {address.host}: {type(error).__name__}")
        await response.aclose()
        return _judged(response.status_code, address.host)


def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        return httpx.URL("")


def _judged(status: int, host: str) -> Stored | NotStored:
    """What a status means; the body stays unread, as storages quote parts of the signature in it."""
    said = f"{host} answered {status}"
    if 200 <= status < 300:
        return Stored()
    if status in (401, 403, 404, 410):
        # Object stores say 403 to an address that has expired; 400 comes from some for other mistakes.
        return NotStored("expired", said)
    if status in (408, 425, 429) or status >= 500:
        return NotStored("trouble", said)
    return NotStored("refused", said)


def _hide_addresses(record: logging.LogRecord) -> bool:
    """The HTTP library logs each request with its address: keep only the host of it."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            f"{arg.scheme}://{arg.host}/..." if isinstance(arg, httpx.URL) else arg for arg in record.args
        )
    return True
