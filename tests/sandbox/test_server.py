import asyncio
import socket
import threading
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from bridge.core.errors import BridgeError
from bridge.sandbox import SandboxServer
from tests.sandbox.driver import Driver, Hands, event, usage_path


def test_a_taken_port_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BridgeError, match=f"127.0.0.1:{port}: .*another port"):
            SandboxServer(port=port).start()


def test_an_address_that_is_none_is_explained() -> None:
    with pytest.raises(BridgeError, match="cannot listen"):
        SandboxServer(host="no such host").start()


def test_it_ends_and_starts_again_on_the_same_port_and_keeps_its_state() -> None:
    threads = threading.active_count()
    server = SandboxServer()
    with server:
        url = server.url
        driver = Driver(url)
        driver.login()
        assert driver.publish([event()]).status_code == 200
        with pytest.raises(BridgeError, match="running already"):
            server.start()
    with pytest.raises(ConnectionRefusedError):
        driver.connection()
    with server:
        assert server.url == url
        assert Driver(url).usage()["accepted"] == 1
    server.stop()
    assert threading.active_count() == threads


def test_a_call_that_is_held_back_for_ever_does_not_keep_it_from_ending() -> None:
    hands = Hands()
    with SandboxServer(clock=hands.clock, sleep=hands.sleep) as server:
        driver = Driver(server.url)
        driver.login()
        driver.fault("stall")
        connection = driver.raw_publish(b'{"events": []}')
        driver.state()
    with connection:
        assert connection.recv(1) == b""


def test_two_sandboxes_share_nothing() -> None:
    with SandboxServer() as one, SandboxServer() as other:
        first, second = Driver(one.url), Driver(other.url)
        first.login()
        first.publish([event()])
        assert second.state()["apps"] == {}


def seen(driver: Driver, outcome: str, operation: str = "publish_usage_events") -> bool:
    """Asks until the sandbox has noticed: that a client left reaches it after its last word."""
    return any(outcome in driver.requests(operation) for _ in range(500))


def test_calls_at_the_same_time_are_counted(sandbox: Driver) -> None:
    sandbox.fault("stall", times=2)
    with sandbox.raw_publish(b"{}") as one, sandbox.raw_publish(b"{}") as other:
        assert any(sandbox.state()["in_flight"] == 2 for _ in range(500))
        one.close()
        other.close()
        assert any(sandbox.state()["in_flight"] == 0 for _ in range(500))
    assert sandbox.state()["most_in_flight"] == 2


def test_a_client_that_leaves_in_the_middle_of_its_request_is_noted(sandbox: Driver) -> None:
    sandbox.raw_publish(b'{"events": [', length=1000).close()
    assert seen(sandbox, "left")
    assert sandbox.state()["apps"] == {}


def test_a_client_that_leaves_in_the_middle_of_a_file_is_noted(sandbox: Driver) -> None:
    with sandbox.connection() as connection:
        connection.sendall(b"PUT /_sandbox/storage/a/f HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
    assert seen(sandbox, "left", "put_upload")


async def no_end(_seconds: float) -> None:
    await asyncio.Event().wait()


def test_a_batch_is_not_taken_when_the_client_leaves_during_a_stall() -> None:
    with SandboxServer(sleep=no_end) as server:
        driver = Driver(server.url)
        driver.login()
        driver.fault("stall", seconds=30, times=1)
        driver.raw_publish(b'{"events": []}').close()
        assert seen(driver, "unanswered")
        assert driver.state()["apps"] == {}


def test_a_call_held_back_by_latency_does_not_keep_it_from_ending() -> None:
    with SandboxServer(sleep=no_end) as server:
        driver = Driver(server.url)
        driver.login()
        driver.fault("latency", seconds=30)
        connection = driver.raw_publish(b'{"events": []}')
        assert any(driver.state()["in_flight"] for _ in range(500))
    with connection:
        assert connection.recv(1) == b""


def test_a_client_may_keep_its_connection_through_refusals(sandbox: Driver) -> None:
    sandbox.fault("status", status=503, times=1)
    address = urlsplit(sandbox.url)
    with closing(HTTPConnection(str(address.hostname), address.port, timeout=10)) as connection:
        connection.connect()
        first = connection.sock
        for status in (503, 401):
            connection.request("POST", usage_path("a"), b"{}")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
        assert connection.sock is first
