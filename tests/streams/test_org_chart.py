"""What the org chart declares: its settings, what is sent of a person, and what goes beside the people."""

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.config import Settings, load
from bridge.config.sections import SINK_SECTIONS
from bridge.core.errors import ConfigError
from bridge.core.gate import GateBounds
from bridge.core.record import Decoded, Doc
from bridge.kafka.topics import load_all
from bridge.streams.org_chart import ORG_CHART, OrgChartOptions
from bridge.streams.snapshots import Changes, Snapshots
from tests.core.records import At


def passed(record: Doc, **options: Any) -> Decoded:
    assert ORG_CHART.gating is not None
    made = ORG_CHART.gating.make(OrgChartOptions(**options), GateBounds(10, 1_000))
    return made.receive(Decoded([At((0, 0))], ["company"], [record], [10])).passed


def test_custom_fields_stand_beside_the_others_and_nothing_of_snapshots_is_sent() -> None:
    record = {"email": "ann@example.com", "snapshot": 1, "snapshotSize": 1, "customFields": {"Entity": "UK"}}
    sent = {"email": "ann@example.com", "Entity": "UK"}
    assert passed(record, custom_fields={"Entity": "text", "VP": "text"}).docs == [sent]


def test_a_custom_field_that_is_not_defined_is_refused() -> None:
    [refused] = passed({"email": "ann@example.com", "customFields": {"Entity": "UK"}}).refused
    assert refused.reason == "invalid"
    assert "Entity" not in refused.detail


@pytest.mark.parametrize(("mode", "kind"), [("upsert", Changes), ("snapshot", Snapshots)])
def test_the_mode_is_a_setting(mode: str, kind: type) -> None:
    assert ORG_CHART.gating is not None
    options = OrgChartOptions.model_validate({"mode": mode})
    assert isinstance(ORG_CHART.gating.make(options, GateBounds(10, 1_000)), kind)


def test_definitions_go_out_beside_the_people_if_there_are_any() -> None:
    assert ORG_CHART.beside is not None
    assert ORG_CHART.beside(OrgChartOptions()) == {}
    options = OrgChartOptions(custom_fields={"Entity": "text", "Start": "date"})
    assert ORG_CHART.beside(options) == {
        "custom_fields": [{"name": "Entity", "type": "text"}, {"name": "Start", "type": "date"}]
    }


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"title": "text"}, "'title' is a field that every person has"),
        ({"snapshot": "text"}, "'snapshot' is a field"),
        ({" ": "text"}, "a custom field needs a name and a type"),
        ({"Entity": ""}, "a custom field needs a name and a type"),
    ],
)
def test_custom_fields_that_cannot_be_are_refused(fields: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        OrgChartOptions(custom_fields=fields)


def test_its_settings_are_part_of_its_section_and_of_no_other() -> None:
    own = OrgChartOptions.model_fields.keys()
    assert {name for name, section in SINK_SECTIONS.items() if own <= section.model_fields.keys()} == {
        "org_chart"
    }
    sinks = Settings.model_validate({"sinks": {"org_chart": {"mode": "snapshot"}}}).sinks
    assert isinstance(sinks["org_chart"], OrgChartOptions)
    assert sinks["org_chart"].mode == "snapshot"


def test_a_mistake_in_its_settings_is_told_with_its_place() -> None:
    environ = {
        "BRIDGE_SINKS__ORG_CHART__MODE": "whole",
        "BRIDGE_SINKS__ORG_CHART__CUSTOM_FIELDS": '{"email": "text"}',
    }
    with pytest.raises(ConfigError) as refused:
        load(None, environ)
    mode, fields = sorted(str(refused.value).splitlines(), reverse=True)
    assert mode.endswith(
        "ORG_CHART__MODE: sinks.org_chart.mode: 'whole' is given, but one of 'upsert' or 'snapshot' is needed"
    )
    assert "sinks.org_chart.custom_fields" in fields
    assert "give the custom field another name" in fields


def test_another_stream_does_not_have_them() -> None:
    with pytest.raises(ConfigError, match="BRIDGE_SINKS__USAGE__MODE: there is no such setting"):
        load(None, {"BRIDGE_SINKS__USAGE__MODE": "snapshot"})


def test_its_topic_has_one_partition_so_that_one_process_sees_all_of_a_snapshot() -> None:
    assert load_all()["org_chart"].partitions == 1
