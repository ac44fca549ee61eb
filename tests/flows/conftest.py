"""The stage of the flow tests, on the mock cluster and on Apache Kafka."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.streams import SINKS
from tests.flows.setting import Stage
from tests.flows.source_setting import OUTPUTS, SourceStage
from tests.kafka_broker.broker import Broker, OwnBroker
from tests.kafka_broker.cluster import Cluster


@contextmanager
def staged(
    kafka: Cluster[Broker],
    folder: Path,
    sandbox: SandboxConfig | None = None,
    stream: str = "usage",
    server: SandboxServer | None = None,
    **topic_settings: str,
) -> Iterator[Stage]:
    """A stage for as long as the block lasts; `server` is an API that runs already."""
    with nullcontext(server) if server else SandboxServer(sandbox) as server:
        topic = kafka.create_topic(stream, 4, max_message_bytes=10_000_000, **topic_settings)
        dead_letters = kafka.create_topic("dead", 1, max_message_bytes=16_000_000)
        stage = Stage(kafka, server, folder, topic, dead_letters, stream)
        stage.journal = kafka.create_topic("journal", 2, cleanup_policy="compact")
        if not SINKS[stream].resend_safe:
            stage.in_doubt = kafka.create_topic("in-doubt", 1, max_message_bytes=16_000_000)
        if SINKS[stream].gating is None:
            stage.parked = kafka.create_topic("parked", 4, max_message_bytes=16_000_000)
        try:
            yield stage
        finally:  # also after a failure: a bridge that is left tries for ever
            for bridge in stage.bridges:
                bridge.close()


@contextmanager
def staged_sources(kafka: Cluster[Broker], folder: Path, sandbox: SandboxConfig) -> Iterator[SourceStage]:
    """A stage for sources for as long as the block lasts."""
    with SandboxServer(sandbox) as server:
        topics = {output: kafka.create_topic(output, 3) for output in OUTPUTS}
        cursors = kafka.create_topic("cursors", 6, cleanup_policy="compact", max_message_bytes=16_000_000)
        stage = SourceStage(kafka, server, folder, topics, cursors)
        try:
            yield stage
        finally:
            stage.close()


@pytest.fixture
def stage(any_kafka: Cluster[Broker], tmp_path: Path) -> Iterator[Stage]:
    with staged(any_kafka, tmp_path) as made:
        yield made


@pytest.fixture
def mock_stage(mock_kafka: Cluster[Broker], tmp_path: Path) -> Iterator[Stage]:
    """A stage on the mock cluster only, for what Kafka has little part in."""
    with staged(mock_kafka, tmp_path) as made:
        yield made


@pytest.fixture
def real_stage(kafka: Cluster[Broker], tmp_path: Path) -> Iterator[Stage]:
    with staged(kafka, tmp_path) as made:
        yield made


@pytest.fixture
def own_stage(own_kafka: Cluster[OwnBroker], tmp_path: Path) -> Iterator[Stage]:
    with staged(own_kafka, tmp_path) as made:
        yield made


@pytest.fixture
def short_tokens(any_kafka: Cluster[Broker], tmp_path: Path) -> Iterator[Stage]:
    """A stage whose access tokens last one second."""
    with staged(any_kafka, tmp_path, SandboxConfig(token_lifetime_seconds=1.0)) as made:
        yield made


@pytest.fixture
def users_stage(any_kafka: Cluster[Broker], tmp_path: Path) -> Iterator[Stage]:
    """A stage for the users stream."""
    with staged(any_kafka, tmp_path, stream="users") as made:
        yield made


@pytest.fixture
def compacted_stage(any_kafka: Cluster[Broker], tmp_path: Path) -> Iterator[Stage]:
    """A stage for the users stream on a topic that is compacted, as it should be."""
    with staged(any_kafka, tmp_path, stream="users", cleanup_policy="compact") as made:
        yield made


@pytest.fixture
def real_users_stage(kafka: Cluster[Broker], tmp_path: Path) -> Iterator[Stage]:
    """The same on Apache Kafka only."""
    with staged(kafka, tmp_path, stream="users", cleanup_policy="compact") as made:
        yield made


@pytest.fixture
def spend_stage(any_kafka: Cluster[Broker], tmp_path: Path) -> Iterator[Stage]:
    """A stage for the spend stream."""
    with staged(any_kafka, tmp_path, stream="spend") as made:
        yield made


@pytest.fixture
def real_spend_stage(kafka: Cluster[Broker], tmp_path: Path) -> Iterator[Stage]:
    """The same on Apache Kafka only."""
    with staged(kafka, tmp_path, stream="spend") as made:
        yield made
