"""The status page on the operations port, asked over HTTP."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry

from bridge.telemetry.health import Pulse, health_app, served
from bridge.telemetry.status.routes import MAX_READERS, status_routes
from bridge.telemetry.status.watch import Status
from tests.telemetry.status.facts import NOW, facts, sink, status

PAGES = ("/", "/status.json", "/status.css", "/status.js", "/events")


@dataclass
class Port:
    """The operations port of a process whose status is set by hand."""

    status: Status
    now: float = NOW
    url: str = ""

    @contextmanager
    def asked(self, path: str, method: str = "GET") -> Iterator[http.client.HTTPResponse]:
        """The answer, whose body may not be over yet."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request(method, path)
            yield connection.getresponse()
        finally:
            connection.close()


@pytest.fixture
def port() -> Iterator[Port]:
    made = Port(status(sink()))
    routes = status_routes(lambda: made.status, lambda: made.now)
    with served(health_app(CollectorRegistry(), Pulse(), list, routes), "127.0.0.1", 0) as made.url:
        yield made


def event(answer: http.client.HTTPResponse) -> dict[str, str]:
    """The next event."""
    while not (line := answer.readline()).startswith(b"data: "):
        assert line
    parts: dict[str, str] = json.loads(line.removeprefix(b"data: "))
    return parts


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_may_be_loaded_kept_or_framed(port: Port, path: str, method: str) -> None:
    with port.asked(path, method) as answer:
        assert answer.status == 200
        policy = dict(
            part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
        assert {policy[name] for name in ("style-src", "script-src", "connect-src")} == {"'self'"}
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(port: Port, path: str, method: str) -> None:
    with port.asked(path, method) as answer:
        assert answer.status == 405


def test_the_page_shows_what_is_now(port: Port) -> None:
    with port.asked("/") as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "All is well: data flows" in answer.read().decode()
    port.status = status(sink(tripped="so"))
    with port.asked("/") as answer:
        assert "The flood guard stopped the stream: so." in answer.read().decode()


def test_the_same_as_json(port: Port) -> None:
    port.status = status(sink(tripped="so"))
    with port.asked("/status.json") as answer:
        told = json.load(answer)
    assert (told["state"], told["headline"]) == ("stopped", "1 of 1 streams stand still")
    assert told["facts"]["sinks"][0]["books"]["received"] == 1200
    assert told["causes"][0]["section"] == "flood-guard-tripped"


def test_events_bring_all_at_first_and_then_what_changed(port: Port) -> None:
    with port.asked("/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert {"headline", "clock", "causes", "stream-usage", "letters", "answers", "process"} == event(
            answer
        ).keys()
        port.status = status(sink(lag=4321))
        assert [*event(answer)] == ["stream-usage"]


def test_a_process_that_has_stopped_beating_says_so(port: Port) -> None:
    with port.asked("/events") as answer:
        event(answer)
        port.now += 45
        assert "no sign of life for 45 seconds" in event(answer)["headline"]


def test_so_many_may_follow_and_who_goes_makes_room(port: Port) -> None:
    with ExitStack() as readers:
        for _ in range(MAX_READERS):
            event(readers.enter_context(port.asked("/events")))
        with port.asked("/events") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        with port.asked("/") as answer:
            assert answer.status == 200
    until = time.monotonic() + 10
    while True:  # the server hears of a closed connection when it next writes, or sooner
        port.status = replace(port.status, facts=facts(sink(lag=int(time.monotonic()))))
        with port.asked("/events") as answer:
            if answer.status == 200:
                break
        assert time.monotonic() < until


def test_who_follows_does_not_hold_up_the_end() -> None:
    made = Port(status(sink()))
    routes = status_routes(lambda: made.status, lambda: made.now)
    with ExitStack() as reading:
        with served(health_app(CollectorRegistry(), Pulse(), list, routes), "127.0.0.1", 0) as made.url:
            answer = reading.enter_context(made.asked("/events"))
            event(answer)
            began = time.monotonic()
        assert time.monotonic() - began < 2  # and not until it is cut off
        assert answer.read().count(b"data:") == 0  # ended as it should
