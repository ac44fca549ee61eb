"""One exchange over HTTP: what came back, or what is known of a request without an answer."""

import asyncio
import re
import ssl

import httpx2 as httpx

from bridge.core.outcome import InDoubt, Unavailable
from bridge.core.redact import excerpt
from bridge.productiv.settings import ClientSettings
from bridge.productiv.statuses import Answer

MAX_ANSWER_BYTES = 1024 * 1024
"""What is read of an answer: 1 KiB for each of 1000 records that the API may find fault with."""

# No connection was made or lent, so no byte of the request can have arrived. A refused proxy tunnel is one of
# these: the request would only have gone through it.
_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

# What the other end says when it ends the handshake for our certificate or the lack of it. By TLS 1.3 we hear
# of it only after the request was sent, but what comes before the end of a handshake is never read.
_REFUSES_OUR_CERTIFICATE = re.compile("_ALERT_.*(CERTIFICATE|UNKNOWN_CA)")


async def exchange(
    http: httpx.AsyncClient, request: httpx.Request, settings: ClientSettings, limit: int = MAX_ANSWER_BYTES
) -> Answer | Unavailable | InDoubt:
    """Sends a request and reads at most `limit` bytes of the answer; never raises for the network.

    Unavailable if the request provably did not leave, InDoubt if it may have and no status came back.
    """
    try:
        async with asyncio.timeout(settings.deadline):
            response = await http.send(request, stream=True, follow_redirects=False)
    except _NEVER_LEFT as error:
        return Unavailable(f"no connection to {request.url.host}: {_in_words(error)}")
    except (httpx.HTTPError, ssl.SSLError, TimeoutError) as error:
        if _REFUSES_OUR_CERTIFICATE.search(getattr(error, "reason", None) or ""):
            said = f"{request.url.host} refuses our certificate or asks for one"
            return Unavailable(f"{said}: {_in_words(error)}")
        return InDoubt(f"no answer from {request.url.host}: {_in_words(error)}")
    try:
        body, complete = await _read(response, settings, limit)
    finally:
        await response.aclose()
    return Answer(
        status=response.status_code,
        body=body,
        complete=complete,
        retry_after=response.headers.get("retry-after"),
        location=response.headers.get("location"),
    )


async def _read(response: httpx.Response, settings: ClientSettings, limit: int) -> tuple[bytes, bool]:
    """The body up to the limit, and whether that is all of it."""
    body = bytearray()
    if "," in response.headers.get("content-encoding", ""):
        # Encodings within each other: of a few bytes they could make hours of work, between two looks at the
        # limit and the clock. Nobody asked for even one.
        return b"", False
    try:
        async with asyncio.timeout(settings.read_timeout):
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > limit:
                    return bytes(body[:limit]), False
    except (httpx.HTTPError, ssl.SSLError, TimeoutError):
        return bytes(body), False
    return bytes(body), True


def _in_words(error: Exception) -> str:
    name = type(error).__name__
    return f"{name}: {excerpt(str(error), 200)}" if str(error) else name
