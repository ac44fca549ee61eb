"""Each use case of the chart renders as committed; Kubernetes takes its resources, the bridge its words."""

from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import typer

from bridge import config, wiring
from bridge.cli import app
from bridge.streams import SINKS, SOURCES
from tests.helm.chart import CI, USE_CASES, Manifest, lint, manifests, notes, of_kind, rendered, values_of
from tests.helm.custom_resources import SPECS

each_use_case = pytest.mark.parametrize("use_case", USE_CASES)


@each_use_case
def test_it_renders_as_committed(use_case: str) -> None:
    committed = (CI / "rendered" / f"{use_case}.yaml").read_text()
    assert rendered(use_case) == committed, "run: python -m tests.helm.chart"


@each_use_case
def test_helm_finds_no_fault(use_case: str) -> None:
    assert lint(values_of(use_case)) == []


@each_use_case
@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_kubernetes_takes_every_resource(use_case: str, version: str) -> None:
    for manifest in manifests(values_of(use_case)):
        if spec := SPECS.get((manifest["apiVersion"], manifest["kind"])):
            jsonschema.validate(manifest["spec"], spec)
        else:
            kubernetes_validate.validate(manifest, version, strict=True)


@each_use_case
def test_names_are_unique_and_short_enough(use_case: str) -> None:
    found = manifests(values_of(use_case))
    names = [(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in found]
    assert len(set(names)) == len(names)
    assert max(len(name) for *_, name in names) <= 63


@each_use_case
def test_pods_keep_to_the_restricted_standard(use_case: str) -> None:
    pods = [pod for manifest in manifests(values_of(use_case)) for pod in pod_specs(manifest)]
    assert pods
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert (
                container["securityContext"].items()
                >= {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }.items()
            )
            assert {"requests", "limits"} == container["resources"].keys()


@each_use_case
def test_selectors_choose_the_pods_of_the_bridge_and_no_others(use_case: str) -> None:
    found = manifests(values_of(use_case))
    bridges = [
        each["spec"]["template"]["metadata"]["labels"] for each in of_kind(found, "Deployment").values()
    ]
    jobs = [each["spec"]["template"]["metadata"]["labels"] for each in of_kind(found, "Job").values()]
    others = jobs + [each["metadata"]["labels"] for each in of_kind(found, "Pod").values()]
    for selector in [
        *(each["spec"]["selector"] for each in of_kind(found, "Service").values()),
        *(each["spec"]["selector"]["matchLabels"] for each in of_kind(found, "PodMonitor").values()),
        *(each["spec"]["podSelector"]["matchLabels"] for each in of_kind(found, "NetworkPolicy").values()),
    ]:
        assert all(selector.items() <= labels.items() for labels in bridges)
        assert not any(selector.items() <= labels.items() for labels in others)
    for each in of_kind(found, "ServiceMonitor").values():
        [service] = of_kind(found, "Service").values()
        assert each["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    for name, each in of_kind(found, "Deployment").items():
        own = each["spec"]["selector"]["matchLabels"]
        assert [labels for labels in bridges if own.items() <= labels.items()] == [
            each["spec"]["template"]["metadata"]["labels"]
        ]
        assert of_kind(found, "PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"] == own


@each_use_case
def test_the_bridge_takes_its_configuration(use_case: str, tmp_path: Path) -> None:
    found = manifests(values_of(use_case))
    deployments = of_kind(found, "Deployment")
    program: Any = typer.main.get_command(app)
    run = program.commands["run"]
    for deployment in deployments.values():
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        settings = settings_of(found, deployment["spec"]["template"]["spec"], tmp_path)
        settings.productiv.require_credentials()
        assert settings.http.port == container["ports"][0]["containerPort"]
        command, *options = container["args"]
        assert command == "run"
        names = run.make_context("run", options).params["only"]
        assert set(names) <= {*SINKS, *SOURCES}
        wiring.needed_topics(settings, names)
        grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace > settings.shutdown_deadline_seconds
        assert settings.kafka.create_topics is False


@each_use_case
def test_the_notes_name_the_deployments(use_case: str) -> None:
    said = notes(values_of(use_case))
    deployments = [
        name
        for each in manifests(values_of(use_case))
        if each["kind"] == "Deployment"
        for name in [each["metadata"]["name"]]
    ]
    assert all(f"{name} runs " in said for name in deployments)


def pod_specs(manifest: Manifest) -> list[dict[str, Any]]:
    """The pods that come of a resource."""
    if manifest["kind"] == "Pod":
        return [manifest["spec"]]
    return [manifest["spec"]["template"]["spec"]] if manifest["kind"] in ("Deployment", "Job") else []


def settings_of(found: list[Manifest], pod: dict[str, Any], folder: Path) -> config.Settings:
    """The settings of a pod, with its secrets' files below `folder`; each must lie in a mounted Secret."""
    volumes = {each["name"]: each for each in pod["volumes"]}
    [container] = pod["containers"]
    names = {each["metadata"]["name"]: each for each in found if each["kind"] == "ConfigMap"}
    text = names[volumes["config"]["configMap"]["name"]]["data"]["bridge.yaml"]
    mounted = [each["mountPath"] for each in container["volumeMounts"] if "secret" in volumes[each["name"]]]
    for word in text.split():
        if word.startswith("/run/secrets/"):
            assert any(word.startswith(f"{path}/") for path in mounted), word
            file = folder / word.removeprefix("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("hunter2")
    path = folder / "bridge.yaml"
    path.write_text(text.replace("/run/secrets/", f"{folder}/run/secrets/"))
    env = {each["name"]: each["value"] for each in container["env"] if each["name"] != "BRIDGE_CONFIG"}
    return config.load(path, env)
