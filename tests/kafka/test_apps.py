"""The app of a record is found where the topic says, and refused where nobody could know it."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import ConfigError
from bridge.kafka.apps import COMPANY, Apps, UnknownApp
from bridge.kafka.refusal import Refusal
from bridge.kafka.topics import AppSource
from tests.kafka.records import message


def source(**description: str) -> AppSource:
    return AppSource.model_validate(description)


FIELD = source(**{"from": "field", "name": "tool"})
HEADER = source(**{"from": "header", "name": "x-app"})
KEY = source(**{"from": "key"})
CONSTANT = source(**{"from": "constant", "value": "slack"})


def found(
    where: AppSource,
    *,
    key: bytes | None = None,
    headers: Any = None,
    record: Mapping[str, Any] | None = None,
) -> str:
    (app,) = Apps(where).of([message(b"{}", key=key, headers=headers)], [record or {}])
    return app


def test_the_app_is_found_where_the_topic_says() -> None:
    assert found(FIELD, record={"tool": "slack", "app": "zoom"}) == "slack"
    assert found(HEADER, headers=[("x-app", b"slack"), ("app", b"zoom")]) == "slack"
    assert found(KEY, key="größe".encode()) == "größe"
    assert found(CONSTANT, record={"app": "zoom"}, key=b"zoom") == "slack"


def test_the_last_header_of_a_name_counts() -> None:
    assert found(HEADER, headers=[("x-app", b"zoom"), ("x-app", b"slack")]) == "slack"


@pytest.mark.parametrize(
    ("where", "given", "detail"),
    [
        (
            FIELD,
            {"record": {"app": "slack"}},
            "field tool is missing; it says which app the record belongs to",
        ),
        (FIELD, {"record": {"tool": None}}, "field tool is missing"),
        (FIELD, {"record": {"tool": 5}}, "field tool is not text; send the name of an app"),
        (FIELD, {"record": {"tool": {"name": "slack"}}}, "field tool is not text; send the name of an app"),
        (FIELD, {"record": {"tool": "\t"}}, "field tool is empty; send the name of an app"),
        (FIELD, {"record": {"tool": "a" * 257}}, "field tool has 257 characters where 256 are allowed"),
        (FIELD, {"record": {"tool": "sl\x00ack"}}, "field tool holds control characters"),
        (FIELD, {"record": {"tool": ".."}}, "field tool is only dots"),
        (HEADER, {}, "header x-app is missing"),
        (HEADER, {"headers": [("other", b"slack")]}, "header x-app is missing"),
        (HEADER, {"headers": [("x-app", None)]}, "header x-app is missing"),
        (HEADER, {"headers": [("x-app", b"\xff")]}, "header x-app is not UTF-8 text"),
        (KEY, {}, "the record's key is missing"),
        (KEY, {"key": b""}, "the record's key is empty"),
        (KEY, {"key": b"\xff\xfe"}, "the record's key is not UTF-8 text"),
    ],
)
def test_what_cannot_be_an_app_is_refused(where: AppSource, given: dict[str, Any], detail: str) -> None:
    with pytest.raises(Refusal) as refused:
        found(where, **given)
    assert refused.value.reason == "unknown_app"
    assert detail in refused.value.detail


@pytest.mark.parametrize("name", ["x", "a" * 256, "with blanks", "a/b?c", "größe", "..."])
def test_what_can_be_an_app_passes(name: str) -> None:
    assert Apps(FIELD).id_of(name) == name


def test_names_are_mapped_and_others_pass() -> None:
    apps = Apps(FIELD, {"Slack": "8f14"})
    chunk = [{"tool": "Slack"}, {"tool": "zoom"}, {"tool": "Slack"}]
    assert apps.of([message(b"")] * 3, chunk) == ["8f14", "zoom", "8f14"]


def test_names_that_are_not_mapped_are_refused_where_told() -> None:
    apps = Apps(FIELD, {"Slack": "8f14"}, "dead_letter")
    assert apps.id_of("Slack") == "8f14"
    with pytest.raises(
        Refusal, match=r"field tool holds an app that apps\.names of the bridge does not list"
    ):
        apps.id_of("8f14")


@pytest.mark.parametrize(
    ("where", "names", "unknown", "why"),
    [
        (FIELD, {"Slack": " "}, "pass", r"apps\.names: 'Slack' leads to an app id that is empty"),
        (CONSTANT, {}, "dead_letter", "the constant app holds an app that apps.names"),
        (source(**{"from": "constant", "value": ".."}), {}, "pass", "the constant app is only dots"),
    ],
)
def test_what_could_never_work_is_refused_at_the_start(
    where: AppSource, names: dict[str, str], unknown: UnknownApp, why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        Apps(where, names, unknown)


def test_a_constant_is_mapped_too() -> None:
    assert Apps(CONSTANT, {"slack": "8f14"}).of([message(b"")], [{}]) == ["8f14"]


def test_memory_of_names_is_bounded() -> None:
    apps = Apps(FIELD)
    names = [f"app-{number}" for number in range(20_000)]
    assert apps.of([message(b"")] * len(names), [{"tool": name} for name in names]) == names
    assert len(apps._known) <= 16_384


ANYTHING = st.none() | st.text() | st.binary() | st.integers() | st.lists(st.text(), max_size=2)


@given(st.lists(st.sampled_from(["slack", b"slack", "zoom"]) | ANYTHING, max_size=6))
def test_apps_remembered_are_apps_found(names: list[Any]) -> None:
    """What was seen before changes nothing."""
    apps = Apps(FIELD, {"slack": "8f14"}, "dead_letter")
    for name in names:
        fresh = Apps(FIELD, {"slack": "8f14"}, "dead_letter")
        assert one(apps, name) == one(fresh, name)


def one(apps: Apps, name: Any) -> list[str] | str:
    try:
        return apps.of([message(b"")], [{"tool": name}])
    except Refusal as refusal:
        return refusal.detail


def test_what_is_about_no_app_is_the_companys_and_is_not_looked_up() -> None:
    made = Apps(AppSource.model_validate({"from": "none"}), {"company": "8f14"}, "dead_letter")
    assert made.of([message(b"{}"), message(b"{}")], [{}, {"app": "slack"}]) == [COMPANY] * 2
