"""What the tests of this folder share: a client on made-up settings, and time moved by hand."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx2 as httpx
from anyio import wait_all_tasks_blocked

from bridge.core.outcome import Outcome
from bridge.core.stream import Operation
from bridge.productiv.auth import Credentials
from bridge.productiv.client import Client
from bridge.productiv.settings import ClientSettings

USAGE = Operation.PUBLISH_USAGE_EVENTS
EVENT = {"timestamp": 1_700_000_000_000, "email": "ann@example.com", "eventName": "opened_file"}
SECRET = "s3cret-of-the-client"
API = "https://api.test"
TOKEN_URL = "https://login.test/token"
SAID = "no access token: the token endpoint answered"  # followed by the status
SETTINGS = ClientSettings(
    api_url=API,
    token_url=TOKEN_URL,
    contract="openapi",
    token_auth="form",
    connect_timeout=5,
    write_timeout=5,
    read_timeout=5,
    pool_timeout=5,
    max_connections=8,
    rate=None,
    export_rate=None,
    retry_after_cap=300,
)


@dataclass
class HandClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def credentials() -> Credentials:
    return Credentials("the-id", SECRET)


def client_on(url: str, **changes: Any) -> Client:
    """A client of a server that serves the API and, under /token, the tokens."""
    return Client(replace(SETTINGS, **{"api_url": url, "token_url": f"{url}/token", **changes}), credentials)


async def publish(client: Client, app: str = "app-1", count: int = 1) -> Outcome:
    return await client.publish(USAGE, app, [EVENT] * count, "key-1")


Handler = Callable[[httpx.Request], httpx.Response]


async def _at_once(request: httpx.Request) -> None:
    """Holds no request up."""


async def once_all_wait(request: httpx.Request) -> None:
    """Holds a token request up until every other caller waits for something."""
    if request.url.host == "login.test":
        await wait_all_tasks_blocked()


class Service:
    """Both hosts behind one mock transport. Tokens are `t-1`, `t-2`, … unless `on_token` answers.

    `before` may hold a request up before it is seen.
    """

    def __init__(self, on_api: Handler | None = None, on_token: Handler | None = None) -> None:
        self.on_api = on_api or (lambda request: httpx.Response(200))
        self.on_token = on_token or self.grant
        self.before: Callable[[httpx.Request], Awaitable[None]] = _at_once
        self.granted = 0
        self.lives: Any = 3600
        self.api: list[httpx.Request] = []
        self.tokens: list[httpx.Request] = []

    def grant(self, request: httpx.Request) -> httpx.Response:
        self.granted += 1
        fields = {"access_token": f"t-{self.granted}", "token_type": "Bearer", "expires_in": self.lives}
        return httpx.Response(200, json=fields)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await self.before(request)
        if request.url.host == "login.test":
            self.tokens.append(request)
            return self.on_token(request)
        # A copy: the client sends the same request again with another token.
        self.api.append(
            httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        )
        return self.on_api(request)

    @property
    def bearers(self) -> list[str]:
        return [request.headers["authorization"].removeprefix("Bearer ") for request in self.api]

    def client(self, clock: Callable[[], float] | None = None, **changes: Any) -> Client:
        about = {
            name: changes.pop(name)
            for name in ("on_request", "wall", "credentials", "beside")
            if name in changes
        }
        return Client(
            replace(SETTINGS, **changes),
            about.pop("credentials", credentials),
            clock=clock or HandClock(),
            transport=httpx.MockTransport(self),
            **about,
        )
