import time

from bridge.kafka.rotation import FollowingConsumer
from bridge.kafka.statistics import INTERVAL, Statistics
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.mock import MockBroker
from tests.telemetry.in_use import told

PATIENCE = 30.0


def test_what_is_told_in_figures_for_somebody_on_call() -> None:
    statistics = told()
    assert (statistics.connections, statistics.failing) == (2, 0)
    assert statistics.disconnects == 3
    assert statistics.fetched == 9
    assert statistics.round_trip == 0.0025, "the coordinator's: a fetch waits for records"


def test_a_round_trip_stays_until_there_is_another() -> None:
    statistics = told()
    statistics('{"brokers": {"GroupCoordinator": {"source": "logical", "state": "DOWN", "disconnects": 0,'
               ' "rtt": {"cnt": 0, "p50": 0}}}, "topics": {}}')  # fmt: skip
    assert statistics.round_trip == 0.0025


def test_only_what_is_in_use_can_fail() -> None:
    statistics, states = Statistics(), ("UP", "INIT", "DOWN", "TRY_CONNECT", "CONNECT")
    brokers = ", ".join(
        f'"{source}/{state}": {{"source": "{source}", "state": "{state}", "disconnects": 0}}'
        for source in ("learned", "logical", "configured")
        for state in states
    )
    statistics(f'{{"brokers": {{{brokers}}}, "topics": {{}}}}')
    assert (statistics.connections, statistics.failing) == (3, 6)


def test_librdkafka_tells_these_things(mock_kafka: Cluster[MockBroker]) -> None:
    statistics = Statistics()
    assert statistics.connections is None
    settings = {"bootstrap.servers": mock_kafka.bootstrap, "heartbeat.interval.ms": 100, INTERVAL: 100}
    kafka = FollowingConsumer(settings, {"group.id": "g", "stats_cb": statistics})
    kafka.subscribe([mock_kafka.create_topic("told", 4)])
    until = time.monotonic() + PATIENCE
    while not (statistics.connections == 2 and statistics.round_trip is not None):
        assert time.monotonic() < until
        kafka.consume(1, 0.1)
    assert (statistics.failing, statistics.fetched, statistics.disconnects) == (0, 0, 0)
    kafka.close()
