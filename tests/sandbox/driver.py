"""Talks to a sandbox over real HTTP, and moves its clock."""

import socket
from typing import Any
from urllib.parse import urlsplit

import httpx2

from bridge.sandbox import Credential

GOOD = Credential()


class Hands:
    """The sandbox's clock and its sleep, in the test's hands: time passes only when the test says so."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.now = 1_767_225_600.0  # 2026-01-01T00:00:00Z
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Driver:
    """One client of a sandbox."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx2.Client(base_url=url, timeout=10, verify=False)  # reading CAs is slow
        self.token = ""

    def ask_token(self, credential: Credential = GOOD, **fields: str) -> httpx2.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": credential.client_id,
            "client_secret": credential.client_secret,
        }
        return self.http.post("/oauth2/token", data={**form, **fields})

    def login(self, credential: Credential = GOOD, **fields: str) -> str:
        self.token = self.ask_token(credential, **fields).json()["access_token"]
        return self.token

    def call(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        token = {"authorization": f"Bearer {self.token}"} if self.token else {}
        headers = {**token, **kwargs.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **kwargs)

    def publish(self, events: Any, app: str = "app-a", **headers: str) -> httpx2.Response:
        return self.call("POST", usage_path(app), json={"events": events}, headers=headers)

    def fault(self, kind: str, **fields: Any) -> dict[str, Any]:
        answer = self.http.post("/_sandbox/faults", json={"kind": kind, **fields})
        assert answer.status_code == 200, answer.text
        armed: dict[str, Any] = answer.json()
        return armed

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.http.get("/_sandbox/state").json()
        return state

    def usage(self, app: str = "app-a") -> dict[str, Any]:
        figures: dict[str, Any] = self.state()["apps"][app]["usage"]
        return figures

    def requests(self, operation: str = "publish_usage_events") -> dict[str, int]:
        counts: dict[str, int] = self.state()["requests"].get(operation, {})
        return counts

    def connection(self) -> socket.socket:
        """A bare TCP connection to the sandbox."""
        address = urlsplit(self.url)
        return socket.create_connection((address.hostname, address.port), timeout=10)

    def raw_publish(self, body: bytes, length: int | None = None) -> socket.socket:
        """A bare connection on which a usage request has been sent; `length` promises more than is sent."""
        promised = len(body) if length is None else length
        head = (
            f"POST {usage_path('app-a')} HTTP/1.1\r\nhost: sandbox\r\nauthorization: Bearer {self.token}\r\n"
            f"content-type: application/json\r\ncontent-length: {promised}\r\n\r\n"
        )
        connection = self.connection()
        connection.sendall(head.encode() + body)
        return connection


def usage_path(app: str) -> str:
    return f"/services/push/v1/customer/apps/{app}/usage-events"


def event(n: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": 1_767_225_600_000 + n,
        "email": "a@example.com",
        "eventName": "opened_file",
        **fields,
    }


def events(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [event(n) for n in range(start, start + count)]
