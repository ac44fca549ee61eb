"""The image keeps its promises. Where no engine runs, or no base image is to be had, this is skipped."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from bridge import __version__
from tests.flows.process import eventually

ROOT = Path(__file__).parents[2]
# IMAGE names an image that is built already, IMAGE_BASE another base to build on, as the Dockerfile allows.
BASE = os.environ.get("IMAGE_BASE") or "python:3.13-slim"
ANYBODY = "54321:0"  # as OpenShift chooses: no entry in /etc/passwd, group root
GRACE_SECONDS = 40  # as in the chart and in compose.yaml
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def engine() -> Any:
    try:
        engine = docker.from_env(timeout=900)
        docker.from_env(timeout=3).ping()
    except (DockerException, RequestException) as error:
        pytest.skip(f"no container engine answers: {type(error).__name__}")
    return engine


@pytest.fixture(scope="module")
def image(engine: Any) -> Any:
    if name := os.environ.get("IMAGE"):
        return engine.images.get(name)
    try:
        engine.images.get(BASE)
    except ImageNotFound:
        _pull(engine)
    return engine.images.build(path=str(ROOT), buildargs={"BASE": BASE}, rm=True)[0]


def _pull(engine: Any) -> None:
    try:
        engine.images.pull(BASE)
    except (DockerException, RequestException) as error:
        pytest.skip(f"the base image {BASE} is neither here nor to be pulled: {type(error).__name__}")


@contextmanager
def container(engine: Any, image: Any, *command: str) -> Iterator[Any]:
    """A container that may write nothing, has no rights, no network, and a user that nobody knows."""
    running = engine.containers.run(
        image.id,
        list(command),
        user=ANYBODY,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        network_mode="none",
        detach=True,
    )
    try:
        yield running
    finally:
        running.remove(force=True)


def output(of: Any, **streams: bool) -> str:
    """What a container wrote."""
    return str(of.logs(**streams).decode())


def test_it_starts_as_any_user_and_writes_nothing(engine: Any, image: Any) -> None:
    with container(engine, image, "--version") as running:
        assert running.wait(timeout=120)["StatusCode"] == 0, output(running)
        assert output(running).strip() == f"productiv-bridge {__version__}"


def test_the_whole_bridge_runs_in_it(engine: Any, image: Any) -> None:
    with container(engine, image, "demo", "--events", "500", "--json") as running:
        assert running.wait(timeout=300)["StatusCode"] == 0, output(running)[-3000:]
        assert json.loads(output(running, stderr=False).splitlines()[-1])["balanced"]


def test_sigterm_drains_within_the_grace_period(engine: Any, image: Any) -> None:
    with container(engine, image, "demo", "--duration", "0", "--json") as running:
        eventually(lambda: "/metrics" in output(running), "the bridge in there is at work")
        running.stop(timeout=GRACE_SECONDS)
        assert running.wait(timeout=60)["StatusCode"] == 0, output(running)[-3000:]
        assert json.loads(output(running, stderr=False).splitlines()[-1])["balanced"]


def test_it_adds_no_more_than_it_needs(engine: Any, image: Any) -> None:
    base = engine.images.get(BASE)
    assert image.attrs["Size"] - base.attrs["Size"] < 128 * MIB
