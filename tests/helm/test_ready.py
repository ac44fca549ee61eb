"""`helm test` asks the pods whether they are ready."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from bridge.telemetry.health import Pulse, health_app, served
from tests.helm.chart import CHART

SCRIPT = (CHART / "files" / "ready.py").read_text()


def asked(not_ready: Callable[[], list[str]]) -> "subprocess.CompletedProcess[str]":
    """What the test pod says of a bridge; called as in its manifest."""
    with served(health_app(CollectorRegistry(), Pulse(), not_ready), "127.0.0.1", 0) as url:
        command = [sys.executable, "-c", SCRIPT, "127.0.0.1", url.rsplit(":", 1)[1]]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("reasons", "code", "said"),
    [
        ([], 0, "127.0.0.1: ready\n"),
        (["no access token", "Kafka: x"], 1, "127.0.0.1: no access token; Kafka: x\n"),
    ],
)
def test_it_says_what_keeps_a_pod_from_its_work(reasons: list[str], code: int, said: str) -> None:
    told = asked(lambda: reasons)
    assert (told.returncode, told.stdout) == (code, said)
