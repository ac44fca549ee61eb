"""On what was measured: versions and the machine, as far as figures depend on them."""

import os
import platform
from importlib.metadata import version

import confluent_kafka

from bridge import __version__
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.jars import kafka_version

PACKAGES = ("orjson", "msgspec", "pydantic", "fastavro", "httpx2", "uvloop")


def described(broker: Broker) -> dict[str, str]:
    """What it is, by what it is called."""
    kafka = "at the given address" if broker.kind == "external" else kafka_version()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}",
        "Python": f"{platform.python_version()} ({platform.python_compiler()})",
        "productiv-bridge": __version__,
        "Apache Kafka": kafka,
        "confluent-kafka": version("confluent-kafka"),
        "librdkafka": confluent_kafka.libversion()[0],
        **{name: version(name) for name in PACKAGES},
    }
