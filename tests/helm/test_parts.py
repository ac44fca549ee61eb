"""Topics, secrets, connections, alerts and dashboards of the chart."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from bridge import config, wiring
from tests.helm.chart import CHART, manifests, of_kind
from tests.helm.values import least

STRIMZI = {"manage": "strimzi", "strimzi": {"cluster": "kafka"}}
RULES = """\
groups:
  - name: bridge
    rules:
      - alert: NotDelivering
        expr: rate(bridge_records_delivered_total[5m]) == 0
        for: 10m
        annotations: {summary: "{{ $labels.stream }} stands still"}
"""


def topics(**values: Any) -> dict[str, dict[str, Any]]:
    found = manifests(least(topics=STRIMZI, **values))
    return {each["spec"]["topicName"]: each for each in found if each["kind"] == "KafkaTopic"}


def test_topics_are_those_that_the_bridge_would_create() -> None:
    """With the names that the configuration gives, and for the streams that run."""
    told = {
        "kafka": {"bootstrap_servers": "kafka:9092", "replication_factor": 3, "journal_topic": "journal"},
        "sinks": {"usage": {"topic": "u", "dead_letter_topic": "d"}, "spend": {"in_doubt_topic": "i"}},
        "sources": {"executions": {"topics": {"execution_users": "people"}}},
        "apps": {"topic": "names"},
    }
    streams = ["usage", "spend", "executions"]
    wanted = wiring.needed_topics(config.Settings.model_validate(told), streams)
    made = topics(config=told, deployments={"sinks": {"streams": streams}})
    assert {name: (each["spec"]["partitions"], each["spec"]["config"]) for name, each in made.items()} == {
        new.topic: (new.num_partitions, new.config) for new in wanted
    }
    assert {each["spec"]["replicas"] for each in made.values()} == {3}


def test_a_topic_outlives_the_release() -> None:
    kept = {each["metadata"]["annotations"]["helm.sh/resource-policy"] for each in topics().values()}
    assert kept == {"keep"}


def test_a_topic_whose_name_is_none_for_kubernetes_gets_another_one() -> None:
    told = {"sinks": {"usage": {"topic": "EU_usage"}, "users": {"topic": "eu-usage"}}}
    names = [each["metadata"]["name"] for each in topics(config=told).values()]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and "_" not in name for name in names)


def test_the_job_asks_for_the_streams_that_run_with_their_partitions() -> None:
    values = least(
        deployments={"sinks": {"streams": ["usage"]}, "sources": {"streams": ["apps"]}},
        topics={"partitions": {"usage": 9, "spend": 3}},
    )
    [job] = of_kind(manifests(values), "Job").values()
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["topics", "apply", "--only=usage", "--only=apps", "--partitions=usage=9"]


def test_all_that_the_job_needs_is_there_before_it() -> None:
    found = manifests(least())
    [job] = of_kind(found, "Job").values()
    pod = job["spec"]["template"]["spec"]
    needed = {("ServiceAccount", pod["serviceAccountName"])}
    needed |= {("ConfigMap", each["configMap"]["name"]) for each in pod["volumes"] if "configMap" in each}
    before = {
        (each["kind"], each["metadata"]["name"])
        for each in found
        if int(each["metadata"].get("annotations", {}).get("helm.sh/hook-weight", "0")) < 0
    }
    assert needed == before
    given = manifests(least(serviceAccount={"create": False, "name": "mine"}))
    [job] = of_kind(given, "Job").values()
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "mine"


def test_the_bridge_makes_topics_itself_only_if_it_is_told_to() -> None:
    for manage in ("run", "none"):
        found = manifests(least(topics={"manage": manage}))
        settings = yaml.safe_load(of_kind(found, "ConfigMap")[""]["data"]["bridge.yaml"])
        assert settings["kafka"]["create_topics"] is (manage == "run")
        assert not of_kind(found, "Job")


def test_a_secret_from_elsewhere_is_made_and_mounted() -> None:
    external = {"store": {"name": "vault"}, "keys": {"client-id": {"key": "api", "property": "id"}}}
    secrets = {"productiv": {"existingSecret": "", "external": external}}
    found = manifests(least(secrets=secrets, topics={"manage": "run"}))
    spec = of_kind(found, "ExternalSecret")["productiv"]["spec"]
    assert spec["secretStoreRef"] == {"name": "vault", "kind": "SecretStore"}
    assert spec["data"] == [{"secretKey": "client-id", "remoteRef": {"key": "api", "property": "id"}}]
    volumes = of_kind(found, "Deployment")["sinks"]["spec"]["template"]["spec"]["volumes"]
    assert {"name": "secret-productiv", "secret": {"secretName": spec["target"]["name"]}} in volumes


def test_pods_start_anew_when_the_configuration_changes() -> None:
    def template(**values: Any) -> Any:
        return of_kind(manifests(least(**values)), "Deployment")["sinks"]["spec"]["template"]

    assert template() == template(monitoring={"monitor": "pod"})
    assert template() != template(config={"log": {"level": "debug"}})


def test_connections_go_to_the_ports_that_the_configuration_names_and_no_others() -> None:
    told = {
        "kafka": {"bootstrap_servers": "a:9093,b:9094"},
        "schema_registry": {"url": "http://registry,https://other:8443"},
        "productiv": {"api_url": "https://gateway:444", "token_url": "https://login"},
    }
    found = manifests(least(config=told, networkPolicy={"enabled": True}))
    spec = of_kind(found, "NetworkPolicy")[""]["spec"]
    dns, rest = spec["egress"]
    assert {each["port"] for each in dns["ports"]} == {53}
    assert {each["port"] for each in rest["ports"]} == {80, 443, 444, 8443, 9093, 9094}
    assert [each["from"] for each in spec["ingress"]] == [[{"podSelector": {}}]]


def test_alerts_and_dashboards_are_carried_as_they_are(tmp_path: Path) -> None:
    chart = tmp_path / "productiv-bridge"
    shutil.copytree(CHART, chart)
    for folder, name, text in (
        ("alerts", "more.yaml", RULES),
        ("dashboards", "of_more.json", json.dumps({"title": "{{ stream }}"})),
    ):
        (chart / folder).mkdir(exist_ok=True)
        (chart / folder / name).write_text(text)
    shown = {"enabled": True, "namespace": "grafana", "annotations": {"grafana_folder": "Mine"}}
    watched = {"rules": True, "labels": {"release": "p"}, "dashboards": shown}
    found = manifests(least(monitoring=watched), chart)
    rules = of_kind(found, "PrometheusRule")["more"]
    assert rules["spec"] == yaml.safe_load(RULES)
    assert rules["metadata"]["labels"]["release"] == "p"
    dashboard = of_kind(found, "ConfigMap")["of-more"]
    assert json.loads(dashboard["data"]["of_more.json"]) == {"title": "{{ stream }}"}
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["metadata"]["namespace"] == "grafana"


def test_there_need_be_no_alerts_and_no_dashboards(tmp_path: Path) -> None:
    chart = tmp_path / "productiv-bridge"
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("alerts", "dashboards"))
    found = manifests(least(monitoring={"rules": True, "dashboards": {"enabled": True}}), chart)
    assert not of_kind(found, "PrometheusRule")


def test_each_file_of_alerts_and_dashboards_comes_along() -> None:
    found = manifests(least(monitoring={"rules": True, "dashboards": {"enabled": True}}))
    rules = [yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("alerts/*.yaml"))]
    assert [each["spec"] for each in of_kind(found, "PrometheusRule").values()] == rules
    carried = {key for each in of_kind(found, "ConfigMap").values() for key in each["data"]}
    assert carried - {"bridge.yaml"} == {path.name for path in CHART.glob("dashboards/*.json")}
