"""Kafka in a container, where an engine and the image are to be had.

KAFKA_IMAGE     another image of the same kind than apache/kafka in the version of jars.lock
"""

import os
from contextlib import suppress
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from tests.kafka_broker.broker import BrokerFailed, NotAvailable
from tests.kafka_broker.jars import kafka_version
from tests.kafka_broker.ports import free_port
from tests.kafka_broker.ready import wait_until_ready
from tests.kafka_broker.settings import CLUSTER_ID, HEAP, SETTINGS

_ENGINE_SECONDS = 3  # to answer a ping
_PULL_SECONDS = 20  # between two signs of life of a pull, not for the whole of it


class DockerBroker:
    """A node in a container with a fixed port, so that it keeps its address when stopped and started."""

    kind = "docker"

    def __init__(self, image: str) -> None:
        from testcontainers.core.container import DockerContainer

        self._box = DockerContainer(image)
        port = free_port()
        host = self._box.get_docker_client().host()
        self.bootstrap = f"{host}:{port}"
        self._box.with_bind_ports(9092, port).with_envs(**_environment(self.bootstrap))

    def create(self) -> None:
        """Makes the container and starts it the first time."""
        self._box.start()
        self._wait()

    def start(self) -> None:
        """Starts the node again."""
        self._container.start()
        self._wait()

    def stop(self) -> None:
        """Shuts down in an orderly way."""
        self._container.stop(timeout=30)

    def kill(self) -> None:
        """SIGKILL: no goodbye to clients, no flush."""
        self._container.kill()

    def restart(self) -> None:
        """`stop`, then `start`."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freezes the container: connections stay open and nothing answers."""
        self._container.pause()

    def resume(self) -> None:
        """Thaws it, after `pause`."""
        self._container.unpause()

    def close(self) -> None:
        """Removes the container and its data."""
        with suppress(DockerException):
            self._box.stop(force=True)

    def log_tail(self) -> str:
        """The last lines of the container's log."""
        return str(self._container.logs(tail=60).decode(errors="replace"))

    @property
    def _container(self) -> Any:  # the engine's client has no types
        return self._box.get_wrapped_container()

    def _wait(self) -> None:
        try:
            wait_until_ready(self.bootstrap, self._runs)
        except BrokerFailed as error:
            raise BrokerFailed(f"{error}; its log ends:\n{self.log_tail()}") from None

    def _runs(self) -> bool:
        self._container.reload()
        return bool(self._container.status == "running")


def _environment(advertised: str) -> dict[str, str]:
    """The image turns KAFKA_SOME_KEY into some.key."""
    settings = SETTINGS | {
        # The node talks to itself by BROKER, as its advertised address may mean nothing inside the container.
        "listeners": "PLAINTEXT://:9092,CONTROLLER://localhost:9093,BROKER://localhost:9094",
        "advertised.listeners": f"PLAINTEXT://{advertised},BROKER://localhost:9094",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,BROKER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.quorum.voters": "1@localhost:9093",
    }
    variables = {"KAFKA_" + key.upper().replace(".", "_"): value for key, value in settings.items()}
    return variables | {"CLUSTER_ID": CLUSTER_ID, "KAFKA_HEAP_OPTS": HEAP}


def _find_image() -> str:
    """The image's name, the image pulled if need be.

    Raises:
        NotAvailable: no engine answers, or the image is not to be had.
    """
    image = os.environ.get("KAFKA_IMAGE") or f"apache/kafka:{kafka_version()}"
    try:
        docker.from_env(timeout=_ENGINE_SECONDS).ping()
    except (DockerException, RequestException):
        raise NotAvailable("no Docker engine answers") from None
    try:
        docker.from_env(timeout=_ENGINE_SECONDS).images.get(image)
    except ImageNotFound:
        _pull(image)
    return image


def _pull(image: str) -> None:
    try:
        docker.from_env(timeout=_PULL_SECONDS).images.pull(image)
    except (DockerException, RequestException):
        raise NotAvailable(f"the image {image} is neither here nor to be pulled") from None


def start_docker() -> DockerBroker:
    """A broker in a container, started.

    Raises:
        NotAvailable: no engine or image is to be had, or the engine cannot run it.
        BrokerFailed: the container runs, but the broker in it does not.
    """
    image = _find_image()
    broker = DockerBroker(image)
    try:
        broker.create()
    except (DockerException, RequestException) as error:
        broker.close()
        raise NotAvailable(f"the Docker engine cannot run {image}: {error}") from None
    except BrokerFailed:
        broker.close()
        raise
    return broker
