"""compose.yaml: what can be said of it without an engine, and that its producer feeds all streams."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer, KafkaException, TopicPartition

from bridge import config, wiring
from bridge.streams import SINKS, SOURCES
from tests.flows.process import eventually
from tests.helm.chart import CHART
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.jars import kafka_version

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROMETHEUS = yaml.safe_load((ROOT / "compose" / "prometheus.yaml").read_text())
GRAFANA = ROOT / "compose" / "grafana"


def mounts(service: str) -> dict[str, Path]:
    """Place in the container to place here."""
    told = (volume.split(":") for volume in SERVICES[service].get("volumes", []))
    return {inside: ROOT / here for here, inside, mode in told if mode == "ro"}


def settings() -> config.Settings:
    """The configuration of the bridge there."""
    bridge = SERVICES["bridge"]
    return config.load(mounts("bridge")[bridge["environment"]["BRIDGE_CONFIG"]], {})


@pytest.mark.docs_agree
@pytest.mark.parametrize("service", SERVICES)
def test_every_file_that_is_mounted_is_there(service: str) -> None:
    assert len(mounts(service)) == len(SERVICES[service].get("volumes", []))
    assert all(path.exists() for path in mounts(service).values())


@pytest.mark.docs_agree
@pytest.mark.parametrize("service", SERVICES)
def test_whom_a_service_waits_for_can_be_waited_for(service: str) -> None:
    needed = SERVICES[service].get("depends_on", {})
    assert set(needed) <= SERVICES.keys()
    for name, how in needed.items() if isinstance(needed, dict) else ():
        assert how["condition"] != "service_healthy" or "test" in SERVICES[name]["healthcheck"]


@pytest.mark.docs_agree
def test_the_bridge_runs_all_streams_against_what_is_there() -> None:
    told = settings()
    told.productiv.require_credentials()
    wiring.needed_topics(told)
    assert all(told.sinks[name].enabled for name in SINKS)
    assert all(told.sources[name].enabled for name in SOURCES)
    assert told.productiv.api_url == "http://sandbox:8080"
    assert told.productiv.token_url.startswith("http://sandbox:8080/")
    assert SERVICES["sandbox"]["command"] == ["sandbox", "--host", "0.0.0.0", "--port", "8080"]
    kafka = SERVICES["kafka"]["environment"]
    assert f"INSIDE://{told.kafka.bootstrap_servers}" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    registry = SERVICES["registry"]["environment"]
    address = f"http://{registry['KARAPACE_ADVERTISED_HOSTNAME']}:{registry['KARAPACE_PORT']}"
    assert told.schema_registry.url == address
    assert registry["KARAPACE_BOOTSTRAP_URI"] == told.kafka.bootstrap_servers


@pytest.mark.docs_agree
def test_kafka_is_the_one_that_the_tests_use() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


@pytest.mark.docs_agree
def test_prometheus_scrapes_the_bridge_and_knows_the_alerts_of_the_chart() -> None:
    [job] = PROMETHEUS["scrape_configs"]
    assert job["static_configs"][0]["targets"] == [f"bridge:{settings().http.port}"]
    folder, pattern = PROMETHEUS["rule_files"][0].rsplit("/", 1)
    assert (mounts("prometheus")[folder], pattern) == (CHART / "alerts", "*.yaml")


def test_promtool_finds_no_fault_with_the_configuration_of_prometheus() -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool, which comes with Prometheus, is not installed")
    checked = subprocess.run(
        [promtool, "check", "config", str(ROOT / "compose" / "prometheus.yaml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.docs_agree
def test_grafana_finds_prometheus_and_the_dashboards_of_the_chart() -> None:
    [source] = yaml.safe_load((GRAFANA / "datasources.yaml").read_text())["datasources"]
    assert (source["url"], source["isDefault"]) == ("http://prometheus:9090", True)
    [provider] = yaml.safe_load((GRAFANA / "dashboards.yaml").read_text())["providers"]
    assert mounts("grafana")[provider["options"]["path"]] == CHART / "dashboards"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    folder, name = home.rsplit("/", 1)
    dashboards = {path.name for path in (CHART / "dashboards").glob("*.json")}
    assert mounts("grafana")[folder] == CHART / "dashboards"
    assert not dashboards or name in dashboards
    provisioned = {path.rsplit("/", 1)[0] for path in mounts("grafana")}
    assert {f"/etc/grafana/provisioning/{kind}" for kind in ("datasources", "dashboards")} <= provisioned


@pytest.mark.docs_agree
def test_ports_are_open_to_this_machine_only() -> None:
    for service in SERVICES.values():
        assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in service.get("ports", []))


@pytest.mark.real_kafka
def test_the_producer_feeds_every_stream_until_it_is_told_to_stop(
    kafka: Cluster[Broker], tmp_path: Path
) -> None:
    """With the project's own Avro, as no registry is at hand here."""
    name = kafka.unique("compose")
    told = yaml.safe_load((ROOT / "compose" / "bridge.yaml").read_text())
    told["kafka"]["bootstrap_servers"] = kafka.bootstrap
    told["sinks"] = {stream: {"topic": f"{name}.{stream}", "format": "avro"} for stream in SINKS}
    path = tmp_path / "bridge.yaml"
    path.write_text(yaml.safe_dump(told))
    loaded = config.load(path, {})
    wiring.create_planned(loaded, wiring.needed_topics(loaded))
    producer = subprocess.Popen(
        [sys.executable, str(ROOT / "compose" / "producer.py")],
        env={"BRIDGE_CONFIG": str(path), "PYTHONPATH": str(ROOT)},
    )
    asking = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": name})

    def fed(stream: str) -> bool:
        topic = f"{name}.{stream}"
        try:
            ends = [
                asking.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
                for partition in range(kafka.partitions(topic))
            ]
        except KafkaException:  # a partition that was just made has no leader yet
            return False
        return sum(ends) > 0

    try:
        eventually(lambda: all(fed(stream) for stream in SINKS), "every topic has records")
    finally:
        producer.terminate()
        assert producer.wait(30) == 0
        asking.close()
