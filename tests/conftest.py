"""The Kafka that tests get, and what holds for all tests. CONTRIBUTING.md says how Kafka is found.

    kafka       Apache Kafka, shared by all tests of the run     skipped if there is none, by reason
    own_kafka   Apache Kafka for this test alone, to stop, kill and pause
    secured_kafka  the same, from jars only, with listeners for TLS and SASL beside the plain one
    mock_kafka  librdkafka's mock cluster for this test alone
    any_kafka   the test runs twice: on mock_kafka and on kafka

With REQUIRE_REAL_KAFKA=1 a missing Apache Kafka is a failure.
"""

import os
from collections.abc import Iterator
from typing import NoReturn

import pytest
import structlog
from hypothesis import settings

from tests.kafka_broker.broker import Absent, Broker, NotAvailable, OwnBroker
from tests.kafka_broker.choose import choose, choose_own
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.local import LocalBroker, start_local
from tests.kafka_broker.mock import MockBroker
from tests.kafka_broker.secured import Secured

# How long an example takes depends on what else the machine does, and is no property of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of asynchronous tests."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _logs_as_by_default() -> None:
    """What one test's command set up for its log must not decide what another test sees."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster[Broker]]:
    broker = choose(tmp_path_factory.mktemp("kafka"))
    if isinstance(broker, Absent):
        _do_without(broker)
    yield Cluster(broker)
    broker.close()


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster[OwnBroker]]:
    broker = choose_own(tmp_path_factory.mktemp("own_kafka"))
    if isinstance(broker, Absent):
        _do_without(broker)
    yield Cluster(broker)
    broker.close()


@pytest.fixture
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster[LocalBroker]]:
    folder = tmp_path_factory.mktemp("secured_kafka")
    try:
        broker = start_local(folder, Secured(folder))
    except NotAvailable as error:
        _do_without(Absent([str(error)]))
    yield Cluster(broker)
    broker.close()


@pytest.fixture
def mock_kafka() -> Iterator[Cluster[MockBroker]]:
    broker = MockBroker()
    yield Cluster(broker)
    broker.close()


@pytest.fixture(params=["mock", pytest.param("real", marks=pytest.mark.real_kafka)])
def any_kafka(request: pytest.FixtureRequest) -> Cluster[Broker]:
    cluster: Cluster[Broker] = request.getfixturevalue("mock_kafka" if request.param == "mock" else "kafka")
    return cluster


def _do_without(absent: Absent) -> NoReturn:
    if os.environ.get("REQUIRE_REAL_KAFKA") == "1":
        pytest.fail(f"{absent} (REQUIRE_REAL_KAFKA=1 demands it)", pytrace=False)
    pytest.skip(str(absent))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Shows the broker's log beside a failed test."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    clusters = [each for each in getattr(item, "funcargs", {}).values() if isinstance(each, Cluster)]
    if report.failed:
        report.sections += [("the broker's log ends", each.broker.log_tail()) for each in clusters]
    return report  # type: ignore[return-value]
