from pathlib import Path

import pytest

from tests.kafka_broker import choose as choosing
from tests.kafka_broker import external, java
from tests.kafka_broker.broker import Absent, BrokerFailed, NotAvailable
from tests.kafka_broker.choose import choose, choose_own
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.external import ExternalBroker, connect_external
from tests.kafka_broker.mock import MockBroker


def no_docker() -> ExternalBroker:
    raise NotAvailable("no Docker engine answers")


def no_jars(_: Path) -> ExternalBroker:
    raise NotAvailable("no Java in PATH")


@pytest.fixture
def _bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setattr(choosing, "start_docker", no_docker)
    monkeypatch.setattr(choosing, "start_local", no_jars)


@pytest.mark.usefixtures("_bare_machine")
def test_names_every_reason(tmp_path: Path) -> None:
    assert str(choose(tmp_path)) == (
        "no Apache Kafka: KAFKA_BOOTSTRAP_SERVERS is not set; no Docker engine answers; no Java in PATH"
    )


@pytest.mark.usefixtures("_bare_machine")
def test_takes_the_address_that_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mock_kafka: Cluster[MockBroker]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", mock_kafka.bootstrap)
    assert choose(tmp_path) == ExternalBroker(mock_kafka.bootstrap)


@pytest.mark.usefixtures("_bare_machine")
def test_a_broker_to_be_stopped_is_never_somebody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mock_kafka: Cluster[MockBroker]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", mock_kafka.bootstrap)
    assert isinstance(choose_own(tmp_path), Absent)


def test_a_given_address_that_does_not_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr(external, "SECONDS", 0.2)
    with pytest.raises(BrokerFailed, match="KAFKA_BOOTSTRAP_SERVERS"):
        connect_external()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("echo 'openjdk version \"11.0.2\" 2019-01-15' >&2", "not Java 17 or newer"),
        ("echo 'Unable to locate a Java Runtime.' >&2; exit 1", "not Java 17 or newer"),
        (None, "no Java in JAVA_HOME"),
    ],
)
def test_java_that_will_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str | None, problem: str
) -> None:
    if answer is not None:
        _write_java(tmp_path, answer)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(NotAvailable, match=problem):
        java.find_java()


def test_java_that_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _write_java(tmp_path, "echo 'openjdk version \"21.0.2\" 2024-01-16' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java.find_java() == str(program)


def _write_java(home: Path, script: str) -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program
