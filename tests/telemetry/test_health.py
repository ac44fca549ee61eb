import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from bridge.core.errors import BridgeError
from bridge.telemetry.health import STUCK_SECONDS, Pulse, health_app, served
from tests.telemetry.asking import ask, asked


@dataclass
class Process:
    """What the operations port asks, moved by hand, and the address of the port."""

    now: float = 1000.0
    reasons: list[str] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    url: str = ""

    def __post_init__(self) -> None:
        self.pulse = Pulse(lambda: self.now)


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    with served(health_app(made.registry, made.pulse, lambda: made.reasons), "127.0.0.1", 0) as made.url:
        yield made


def test_alive_while_the_loop_beats(process: Process) -> None:
    process.now += STUCK_SECONDS - 1
    assert asked(f"{process.url}/healthz") == (200, {"alive": True, "seconds_since_beat": STUCK_SECONDS - 1})


def test_not_alive_once_the_loop_is_stuck_and_again_when_it_beats(process: Process) -> None:
    process.now += STUCK_SECONDS
    assert asked(f"{process.url}/healthz") == (503, {"alive": False, "seconds_since_beat": STUCK_SECONDS})
    process.pulse.beat()
    assert asked(f"{process.url}/healthz") == (200, {"alive": True, "seconds_since_beat": 0})


def test_ready_or_why_not(process: Process) -> None:
    assert asked(f"{process.url}/readyz") == (200, {"ready": True, "reasons": []})
    process.reasons = ["no access token", "usage: has not joined its consumer group"]
    assert asked(f"{process.url}/readyz") == (503, {"ready": False, "reasons": process.reasons})


def test_not_ready_is_no_reason_to_restart(process: Process) -> None:
    process.reasons = ["no access token"]
    assert asked(f"{process.url}/healthz")[0] == 200


@pytest.mark.parametrize("accept", ["*/*", "", "text/plain;version=0.0.4;q=0.3,*/*;q=0.1"])
def test_metrics_are_text_at_the_very_address(process: Process, accept: str) -> None:
    Counter("things", "Things.", registry=process.registry).inc(3)
    status, body, headers = ask(f"{process.url}/metrics", accept)
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4; charset=utf-8")
    samples = [
        sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples
    ]
    assert [sample.value for sample in samples if sample.name == "things_total"] == [3]


def test_metrics_come_as_openmetrics_to_whoever_asks(process: Process) -> None:
    status, body, headers = ask(f"{process.url}/metrics", "application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_there_is_nothing_else(process: Process) -> None:
    assert ask(f"{process.url}/config")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
@pytest.mark.parametrize("page", ["healthz", "readyz", "metrics"])
def test_it_only_answers_questions(process: Process, page: str, method: str) -> None:
    process.reasons = ["something"]
    status, body, headers = ask(f"{process.url}/{page}", method=method)
    assert status == 405
    assert body == b"Method Not Allowed"
    assert set(headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_a_port_that_is_taken_is_explained() -> None:
    app = health_app(CollectorRegistry(), Pulse(), list)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(BridgeError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*set http\.host"),
            served(app, "127.0.0.1", port),
        ):
            unreachable()


def test_a_host_that_is_not_ours_is_explained() -> None:
    app = health_app(CollectorRegistry(), Pulse(), list)
    with (
        pytest.raises(BridgeError, match=r"cannot listen on host\.invalid:0: "),
        served(app, "host.invalid", 0),
    ):
        unreachable()


def test_the_port_is_free_again_afterwards() -> None:
    app = health_app(CollectorRegistry(), Pulse(), list)
    with served(app, "127.0.0.1", 0) as url:
        port = int(url.rpartition(":")[2])
    with served(app, "127.0.0.1", port) as again:
        assert again == url
        assert ask(f"{again}/readyz")[0] == 200


def unreachable() -> NoReturn:
    raise AssertionError("it serves")
