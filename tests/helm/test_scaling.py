"""Pods follow the lag, within the partitions, and share the rates of the API."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config import Settings
from tests.helm.chart import Manifest, Refused, manifests, of_kind
from tests.helm.values import least

USAGE = {"deployments": {"sinks": {"streams": ["usage"]}}}


def sharing(found: list[Manifest]) -> dict[str, int]:
    """What each deployment is told of the pods that share a rate with its own."""
    told = {}
    for name, each in of_kind(found, "Deployment").items():
        [container] = each["spec"]["template"]["spec"]["containers"]
        env = {variable["name"]: variable["value"] for variable in container["env"]}
        told[name] = int(env["BRIDGE_PRODUCTIV__REPLICAS"])
    return told


@given(
    partitions=st.integers(1, 40),
    replicas=st.integers(1, 40),
    most=st.integers(0, 40),
    kind=st.integers(0, 2),
    workers=st.integers(1, 4),
)
@settings(max_examples=60)
def test_there_are_never_more_workers_than_partitions(
    partitions: int, replicas: int, most: int, kind: int, workers: int
) -> None:
    scaling = {"kind": ["none", "keda", "hpa"][kind], "max": most}
    deployments: dict[str, Any] = {
        "sinks": {"streams": ["usage"], "replicas": replicas, "autoscaling": scaling}
    }
    values = least(
        deployments=deployments, topics={"partitions": {"usage": partitions}}, pod={"workers": workers}
    )
    wanted = (most or max(1, partitions // workers)) if kind else replicas
    if wanted * workers > partitions:
        with pytest.raises(Refused, match="would have nothing to do"):
            manifests(values)
        return
    found = manifests(values)
    assert sharing(found) == {"sinks": wanted}
    if kind == 0:
        assert of_kind(found, "Deployment")["sinks"]["spec"]["replicas"] == replicas
    elif kind == 1:
        assert of_kind(found, "ScaledObject")["sinks"]["spec"]["maxReplicaCount"] == wanted
    else:
        assert of_kind(found, "HorizontalPodAutoscaler")["sinks"]["spec"]["maxReplicas"] == wanted


@pytest.mark.parametrize("kind", ["keda", "hpa"])
def test_what_is_scaled_has_no_replicas_of_its_own(kind: str) -> None:
    found = manifests(least(autoscaling={"kind": kind}))
    assert "replicas" not in of_kind(found, "Deployment")["sinks"]["spec"]


def test_a_deployment_may_have_other_workers_than_the_rest() -> None:
    deployments = {"usage": {"streams": ["usage"], "pod": {"workers": 4}}, "sinks": {"streams": ["users"]}}
    found = of_kind(manifests(least(deployments=deployments)), "Deployment")
    args = {name: each["spec"]["template"]["spec"]["containers"][0]["args"] for name, each in found.items()}
    assert args == {"usage": ["run", "--only=usage", "--workers=4"], "sinks": ["run", "--only=users"]}


def test_rates_are_shared_by_all_pods_that_send_and_by_all_that_ask() -> None:
    deployments = {
        "usage": {"streams": ["usage"], "autoscaling": {"kind": "keda", "max": 5}},
        "sinks": {"streams": ["users", "spend"], "replicas": 2},
        "sources": {"streams": ["apps"], "replicas": 3},
        "both": {"streams": ["org_chart", "workflows"], "replicas": 1},
    }
    told = sharing(manifests(least(deployments=deployments)))
    assert told == {"usage": 8, "sinks": 8, "both": 8, "sources": 4}


def test_keda_asks_for_the_groups_and_topics_of_the_bridge() -> None:
    kafka = {"bootstrap_servers": "a:1,b:2", "group_prefix": "mine"}
    config = {"kafka": kafka, "sinks": {"users": {"topic": "people"}}}
    scaling = {"kind": "keda", "keda": {"metadata": {"tls": "enable", "version": "3.9.0"}}}
    spec = of_kind(manifests(least(config=config, autoscaling=scaling)), "ScaledObject")["sinks"]["spec"]
    asked = [trigger["metadata"] for trigger in spec["triggers"]]
    assert [(each["consumerGroup"], each["topic"]) for each in asked] == [
        ("mine.usage", "productiv.usage"),
        ("mine.users", "people"),
        ("mine.spend", "productiv.spend"),
        ("mine.org_chart", "productiv.org-chart"),
    ]
    assert {each["bootstrapServers"] for each in asked} == {"a:1,b:2"}
    assert {(each["tls"], each["version"], each["excludePersistentLag"]) for each in asked} == {
        ("enable", "3.9.0", "true")
    }
    assert all("authenticationRef" not in trigger for trigger in spec["triggers"])


def test_groups_have_the_prefix_of_the_bridge_by_default() -> None:
    spec = of_kind(manifests(least(autoscaling={"kind": "keda"}, **USAGE)), "ScaledObject")["sinks"]["spec"]
    assert spec["triggers"][0]["metadata"]["consumerGroup"] == f"{Settings().kafka.group_prefix}.usage"


def test_an_hpa_takes_the_metric_of_each_stream() -> None:
    scaling = {"kind": "hpa", "min": 2, "lagPerReplica": 500, "hpa": {"selector": {"namespace": "n"}}}
    spec = of_kind(manifests(least(autoscaling=scaling, **USAGE)), "HorizontalPodAutoscaler")["sinks"]["spec"]
    [metric] = spec["metrics"]
    assert metric["external"]["metric"] == {
        "name": "bridge_lag_records",
        "selector": {"matchLabels": {"stream": "usage", "namespace": "n"}},
    }
    assert metric["external"]["target"] == {"type": "AverageValue", "averageValue": "500"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 6)
