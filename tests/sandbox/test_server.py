import socket
import threading

import pytest

from bridge.core.errors import BridgeError
from bridge.sandbox import SandboxServer
from tests.sandbox.driver import Driver, Hands, event


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
