"""What stands between the topics that there are and those that there should be."""

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
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


def plan(admin: AdminClient, wanted: Collection[NewTopic], timeout: float = 30.0) -> list[Planned]:
    """Compares the cluster with the topics that should be; changes nothing. `timeout` is in seconds.

    Raises:
        BridgeError: the cluster does not answer, or does not let itself be looked at.
    """
    try:
        existing = admin.list_topics(timeout=timeout).topics
        configs = _configs(admin, [new.topic for new in wanted if new.topic in existing], timeout)
    except KafkaException as error:
        raise BridgeError(f"cannot look at the topics of the Kafka cluster: {error.args[0].str()}") from error
    except FutureTimeout:
        raise BridgeError(
            f"cannot look at the topics of the Kafka cluster: no answer within {timeout:g} s"
        ) from None
    return [
        Planned(new.topic, new.num_partitions, True, tuple(_differences(new, there.partitions, configs)))
        if (there := existing.get(new.topic)) is not None
        else Planned(new.topic, new.num_partitions, False)
        for new in wanted
    ]


def _configs(admin: AdminClient, names: list[str], timeout: float) -> dict[str, Mapping[str, str]]:
    """The settings of these topics, without those that the bridge is not allowed to see."""
    if not names:
        return {}
    asked = admin.describe_configs(
        [ConfigResource(ResourceType.TOPIC, name) for name in names], request_timeout=timeout
    )
    configs: dict[str, Mapping[str, str]] = {}
    for resource, future in asked.items():
        try:
            # Longer than the request itself may take, whose own error says more than ours.
            configs[resource.name] = {name: each.value for name, each in future.result(2 * timeout).items()}
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise
    return configs


def _differences(
    new: NewTopic, partitions: Mapping[int, Any], configs: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    if len(partitions) != new.num_partitions:
        yield f"it has {len(partitions)} partitions, not {new.num_partitions}"
    copies = {len(partition.replicas) for partition in partitions.values()}
    if new.replication_factor != -1 and copies != {new.replication_factor}:
        yield f"it has {', '.join(map(str, sorted(copies)))} copies, not {new.replication_factor}"
    config = configs.get(new.topic)
    if config is None:
        yield "its settings may not be looked at, which takes DescribeConfigs"
        return
    for name, value in (new.config or {}).items():
        if config.get(name) != value:
            yield f"{name} is {config.get(name)}, not {value}"
