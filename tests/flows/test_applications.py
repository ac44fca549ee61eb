"""Names of applications on the topics become ids at Productiv, whoever registered them."""

from typing import Any

import pytest

from tests.flows.process import eventually
from tests.flows.setting import Stage, usage


def apps_topic(stage: Stage) -> str:
    return stage.kafka.create_topic("applications", 1, cleanup_policy="compact")


def ids_in_use(stage: Stage) -> set[str]:
    """The app ids that usage events came for."""
    return {app for app, parts in stage.state()["apps"].items() if "usage" in parts}


def registered(stage: Stage) -> dict[str, str]:
    """The ids by name of all that was registered; a name that is there twice fails."""
    apps = [parts["registration"] for parts in stage.state()["apps"].values() if "registration" in parts]
    names = [app["appName"] for app in apps]
    assert len(set(names)) == len(names)
    return {app["appName"]: app["appId"] for app in apps}


def test_run_registers_what_is_configured_and_resolves_names(stage: Stage) -> None:
    about = {"names": {"Mapped": "500123"}, "unknown": "dead_letter", "topic": apps_topic(stage)}
    bridge = stage.bridge()
    bridge.change(apps=about, applications={"CRM": {"category": "Sales"}, "Wiki": {}})
    stage.produce([usage(1, "CRM"), usage(2, "Wiki"), usage(3, "Mapped"), usage(4, "nobody knows")])
    bridge.start()
    stage.delivered(3)
    eventually(lambda: bridge.books()["dead_lettered"] == 1, "the dead letter is written")
    ids = registered(stage)
    assert set(ids) == {"CRM", "Wiki"}
    assert ids_in_use(stage) == {ids["CRM"], ids["Wiki"], "500123"}
    eventually(lambda: bridge.status("/readyz")[0] == 200, "it is ready")
    asked = stage.state()["requests"]
    assert bridge.stop() == 0

    # A second start needs the API for nothing, and knows the names without their being configured. Those that
    # are mapped by the configuration now go by that.
    bridge.change(apps={**about, "names": {"Wiki": "500124"}}, applications={})
    bridge.start()
    stage.produce([usage(5, "CRM"), usage(6, "Wiki")])
    stage.delivered(5)
    assert ids_in_use(stage) == {ids["CRM"], ids["Wiki"], "500123", "500124"}
    for operation in ("setup_application", "get_app_summaries"):
        assert stage.state()["requests"][operation] == asked[operation]


def test_run_does_not_start_on_names_that_it_cannot_resolve(stage: Stage) -> None:
    """Else they would pass for app ids, and the records become dead letters."""
    stage.fault(kind="status", status=403, operation="setup_application")
    stage.produce([usage(1, "CRM")])
    bridge = stage.bridge()
    bridge.change(apps={"topic": apps_topic(stage)}, applications={"CRM": {}})
    with pytest.raises(AssertionError, match="cannot register 'CRM'"):
        bridge.start()
    assert stage.committed() == 0
    stage.clear_faults()
    bridge.start()
    stage.delivered(1)
    assert ids_in_use(stage) == {"app-1"}


def test_replicas_that_start_together_register_once(real_stage: Stage) -> None:
    stage, topic = real_stage, apps_topic(real_stage)
    stage.fault(kind="latency", seconds=0.3, operation="setup_application")
    wanted: dict[str, Any] = {f"App {n}": {} for n in range(3)}
    bridges = [stage.bridge() for _ in range(3)]
    for bridge in bridges:
        bridge.change(apps={"topic": topic}, applications=wanted)
        bridge.begin()
    for bridge in bridges:
        bridge.wait_until_started()
    assert set(registered(stage)) == set(wanted)
