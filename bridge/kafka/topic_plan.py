"""What stands between the topics that there are and those that there should be."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # two are public, and not marked so
    AdminClient,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from bridge.core.errors import BridgeError


@dataclass(frozen=True, slots=True)
class Planned:
    """A topic that should be: whether it `exists`, and in what it then differs, in words."""

    name: str
    partitions: int
    exists: bool
    differences: tuple[str, ...] = ()


def plan(admin: AdminClient, wanted: Iterable[NewTopic], timeout: float = 30.0) -> list[Planned]:
    """Compares the cluster with the topics that should be; changes nothing. `timeout` is in seconds.

    Raises:
        BridgeError: the cluster does not answer, or does not let itself be looked at.
    """
    try:
        existing = admin.list_topics(timeout=timeout).topics
        there = [new.topic for new in wanted if new.topic in existing]
        configs = _configs(admin, there, timeout)
    except KafkaException as error:
        raise BridgeError(f"cannot look at the topics of the Kafka cluster: {error.args[0].str()}") from error
    return [
        Planned(
            new.topic,
            new.num_partitions,
            new.topic in existing,
            tuple(_differences(new, existing[new.topic].partitions, configs[new.topic]))
            if new.topic in existing
            else (),
        )
        for new in wanted
    ]


def _configs(admin: AdminClient, names: list[str], timeout: float) -> dict[str, Mapping[str, str]]:
    if not names:
        return {}
    asked = admin.describe_configs(
        [ConfigResource(ResourceType.TOPIC, name) for name in names], request_timeout=timeout
    )
    return {
        resource.name: {name: entry.value for name, entry in future.result(2 * timeout).items()}
        for resource, future in asked.items()
    }


def _differences(new: NewTopic, partitions: Mapping[int, Any], config: Mapping[str, str]) -> Iterator[str]:
    if len(partitions) != new.num_partitions:
        yield f"it has {len(partitions)} partitions, not {new.num_partitions}"
    copies = {len(partition.replicas) for partition in partitions.values()}
    if new.replication_factor != -1 and copies != {new.replication_factor}:
        yield f"it has {', '.join(map(str, sorted(copies)))} copies, not {new.replication_factor}"
    for name, value in (new.config or {}).items():
        if config.get(name) != value:
            yield f"{name} is {config.get(name)}, not {value}"
