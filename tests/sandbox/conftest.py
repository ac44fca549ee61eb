from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from bridge.sandbox import SandboxConfig, SandboxServer
from tests.sandbox.driver import Driver, Hands

Start = Callable[..., Driver]


@pytest.fixture(scope="session")
def shared_hands() -> Hands:
    return Hands()


@pytest.fixture(scope="session")
def shared_server(shared_hands: Hands) -> Iterator[SandboxServer]:
    with SandboxServer(clock=shared_hands.clock, sleep=shared_hands.sleep) as server:
        yield server


@pytest.fixture
def hands(shared_hands: Hands) -> Hands:
    shared_hands.start()
    return shared_hands


@pytest.fixture
def sandbox(shared_server: SandboxServer, hands: Hands) -> Iterator[Driver]:
    """A client of the shared sandbox, which has forgotten the last test, with a token in its hand."""
    driver = Driver(shared_server.url)
    with driver.http:
        driver.http.post("/_sandbox/reset")
        driver.login()
        yield driver


@pytest.fixture
def start(hands: Hands) -> Iterator[Start]:
    """Starts a sandbox of one's own with other settings."""
    with ExitStack() as stack:

        def started(**settings: Any) -> Driver:
            config = SandboxConfig(**settings)
            server = stack.enter_context(SandboxServer(config, clock=hands.clock, sleep=hands.sleep))
            driver = Driver(server.url)
            stack.enter_context(driver.http)
            driver.login(config.credentials[0])
            return driver

        yield started
