"""Values that cannot work are refused with a sentence that says what to do."""

from typing import Any

import pytest

from tests.helm.chart import Refused, render
from tests.helm.values import least, over

EXTERNAL = {"store": {"name": "vault"}, "keys": {"client-id": {"key": "api"}}}
SETTINGS = {"ssl.key.location": "/run/secrets/kafka/key", "sasl.oauthbearer.token.endpoint.url": "https://x"}


def streams(**deployments: list[str]) -> dict[str, Any]:
    return {"deployments": {name: {"streams": each} for name, each in deployments.items()}}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"config": {"kafka": {"bootstrap_servers": ""}}},
            "config.kafka.bootstrap_servers: say where Kafka is",
        ),
        ({"config": {"kafka": {"create_topics": True}}}, "say in topics.manage who makes the topics"),
        ({"config": {"productiv": {"replicas": 3}}}, "the chart sets it to the number of pods"),
        (
            {"config": {"sinks": {"usage": {"enabled": False}}}},
            "config.sinks.usage.enabled: name the stream in",
        ),
        (
            {"config": {"sources": {"apps": {"enabled": True}}}},
            "config.sources.apps.enabled: name the stream in",
        ),
        (
            {"config": {"productiv": {"client_secret": "x"}}},
            "client_secret: a ConfigMap is no place for a secret",
        ),
        (
            {"config": {"schema_registry": {"password": "x"}}},
            "password: a ConfigMap is no place for a secret",
        ),
        (
            {"config": {"kafka": {"settings": {"sasl.password": "x"}}}},
            "sasl.password: a ConfigMap is no place",
        ),
        ({"config": {"kafka": {"settings": {"ssl.key.pem": "x"}}}}, "ssl.key.pem: a ConfigMap is no place"),
        ({"config": {"http": {"enabled": False}}}, "the probes need the operations port"),
        ({"config": {"http": {"host": "127.0.0.1"}}}, "the kubelet asks from outside the pod"),
        ({"terminationGracePeriodSeconds": 25}, "longer than config.shutdown_deadline_seconds"),
        ({"config": {"shutdown_deadline_seconds": 50}}, "longer than config.shutdown_deadline_seconds"),
        ({"topics": {"manage": "strimzi"}}, "topics.strimzi.cluster: name the Kafka resource"),
        (
            {"secrets": {"productiv": {"existingSecret": ""}}},
            "secrets.productiv: name a Secret in existingSecret",
        ),
        ({"secrets": {"productiv": {"external": EXTERNAL}}}, "a Secret comes from one of them"),
        (
            {"secrets": {"productiv": {"existingSecret": "", "external": EXTERNAL}}},
            "the job of topics.manage runs before that",
        ),
        (streams(sinks=[]), "no stream runs in any of them"),
        (streams(sinks=["usage"], more=["usage"]), "usage runs in deployments.more as well"),
        (
            {"deployments": {"sinks": {"replicas": 7}}},
            "has more than 6 partitions, so that 1 would have nothing",
        ),
        (
            {"deployments": {"sinks": {"streams": ["org_chart"], "replicas": 2}}},
            "has more than 1 partitions, so that 1 would have nothing to do",
        ),
        (
            {"deployments": {"sources": {"streams": ["apps"], "replicas": 13}}},
            "has more than 12 partitions, so that 1 would have nothing to do",
        ),
        (
            {"autoscaling": {"kind": "keda", "max": 7}},
            "has more than 6 partitions, so that 1 would have nothing",
        ),
        ({"autoscaling": {"kind": "hpa", "min": 4, "max": 3}}, "min is 4 and max is 3"),
        (
            {"autoscaling": {"kind": "keda"}} | streams(sources=["apps"]),
            "deployments.sources.autoscaling.kind: apps is a source, and has no lag",
        ),
        (
            {
                "config": {"sinks": {"org_chart": {"mode": "snapshot"}}},
                "topics": {"partitions": {"org_chart": 3}},
                "deployments": {"sinks": {"replicas": 2}},
            },
            "a snapshot of the org chart must come to one process as a whole",
        ),
        (
            {
                "config": {"sinks": {"org_chart": {"mode": "snapshot"}}},
                "topics": {"partitions": {"org_chart": 3}},
                "pod": {"workers": 2},
            },
            "with 3 partitions and 2 processes it would not",
        ),
    ],
)
def test_it_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence.replace(".", r"\.")):
        render(over(least(), values))


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"image": {"tags": "1"}}, "at '/image'"),
        ({"deployments": {"sinks": {"streams": ["usages"]}}}, "at '/deployments/sinks/streams/0'"),
        ({"deployments": {"Sinks": {"streams": ["usage"]}}}, "invalid propertyName 'Sinks'"),
        ({"deployments": {"sinks": {"replicas": 0}}}, "at '/deployments/sinks/replicas'"),
        ({"deployments": {"sinks": {"pod": {"cpu": 1}}}}, "at '/deployments/sinks/pod'"),
        ({"topics": {"manage": "yes"}}, "at '/topics/manage'"),
        ({"topics": {"partitions": {"usages": 3}}}, "invalid propertyName 'usages'"),
        (
            {"secrets": {"productiv": {"external": {"store": {"name": "vault"}}}}},
            "at '/secrets/productiv/external'",
        ),
        ({"monitoring": {"interval": "often"}}, "at '/monitoring/interval'"),
    ],
)
def test_what_is_no_value_is_refused_by_the_schema(values: dict[str, Any], where: str) -> None:
    with pytest.raises(Refused, match=where):
        render(over(least(), values))


def test_names_of_files_and_addresses_are_no_secrets() -> None:
    assert "ssl.key.location" in render(least(config={"kafka": {"settings": SETTINGS}}))
