"""What is said to be wrong, whose it is, and where to read on."""

from dataclasses import replace
from typing import Any

import pytest

from bridge.telemetry.refused_kinds import RefusedKind
from bridge.telemetry.status.cause import Section, Weight, Whose, merged
from bridge.telemetry.status.causes import FRESH_SECONDS, STILL_SECONDS, causes
from bridge.telemetry.status.facts import MAX_APPS, Apps, Flow, NoToken
from bridge.telemetry.status.history import Plots
from tests.telemetry.status.facts import FLOWS, NOW, facts, only, sink, source

DOWN = Apps.of({"crm": "the API answered 503 Service Unavailable"})
STANDS = Flow()


def kind(age: float) -> RefusedKind:
    return RefusedKind("invalid", "email", 3, NOW - age)


def test_nothing_is_wrong_where_all_is_well() -> None:
    assert causes(facts(sink(), source())) == []


@pytest.mark.parametrize(
    ("changes", "weight", "whose", "section"),
    [
        ({"waiting": DOWN}, Weight.WAITING, Whose.PRODUCTIV, Section.APP_FAILS),
        ({"waiting": DOWN, "flow": STANDS}, Weight.STOPPED, Whose.PRODUCTIV, Section.UNAVAILABLE),
        ({"waiting": Apps.of({"a": "throttled"})}, Weight.WAITING, Whose.PRODUCTIV, Section.THROTTLED),
        ({"waiting": DOWN, "denied": True}, Weight.STOPPED, Whose.ACCESS, Section.DENIED),
        ({"parked": DOWN}, Weight.WAITING, Whose.PRODUCTIV, Section.APP_FAILS),
        ({"tripped": "5 in a row"}, Weight.STOPPED, Whose.PRODUCERS, Section.FLOOD),
        ({"dead_letters": [kind(1.0)]}, Weight.NOTICE, Whose.PRODUCERS, Section.DEAD_LETTERS),
        ({"in_doubt": 4}, Weight.NOTICE, Whose.OPERATOR, Section.IN_DOUBT),
        ({"kafka_trouble": "no broker answers"}, Weight.STOPPED, Whose.KAFKA, Section.KAFKA),
        ({"flow": Flow(still_seconds=STILL_SECONDS)}, Weight.STOPPED, Whose.BRIDGE, Section.STILL),
    ],
)
def test_each_trouble_of_a_sink_has_a_cause(
    changes: dict[str, Any], weight: Weight, whose: Whose, section: Section
) -> None:
    cause = only(causes(facts(sink(**changes))))
    assert (cause.weight, cause.whose, cause.section) == (weight, whose, section)
    assert cause.streams == ("usage",)
    assert cause.what.endswith(".")
    assert cause.todo.endswith(".")


def test_every_section_of_the_runbook_is_pointed_to() -> None:
    sections = {
        cause.section
        for changes in (
            {"waiting": DOWN},
            {"waiting": DOWN, "flow": STANDS},
            {"waiting": Apps.of({"a": "throttled"})},
            {"waiting": DOWN, "denied": True},
            {"tripped": "so"},
            {"dead_letters": [kind(1.0)]},
            {"in_doubt": 4},
            {"kafka_trouble": "so"},
            {"flow": Flow(still_seconds=STILL_SECONDS)},
            {"flow": GROWING, "lag": 50_000},
        )
        for cause in causes(facts(sink(**changes), source(failed="so", failed_label="refused")))
    }
    assert sections == set(Section)


def test_who_waits_is_named_with_why_and_the_rest_is_counted() -> None:
    apps = Apps.of({f"app{n:02}": "it is down" for n in range(MAX_APPS + 5)})
    cause = only(causes(facts(sink(waiting=apps))))
    assert f"{MAX_APPS + 5} apps are waiting: app00, app01" in cause.what
    assert f"app{MAX_APPS - 1:02} (it is down); and 5 more." in cause.what
    assert f"app{MAX_APPS:02}" not in cause.what


def test_dead_letters_are_news_for_a_while() -> None:
    assert causes(facts(sink(dead_letters=[kind(FRESH_SECONDS - 1)])))
    assert not causes(facts(sink(dead_letters=[kind(FRESH_SECONDS)])))


def test_a_tripped_guard_says_more_than_its_dead_letters_would() -> None:
    assert only(causes(facts(sink(tripped="so", dead_letters=[kind(1.0)])))).section is Section.FLOOD


def test_commands_are_told_the_stream_and_not_its_parking() -> None:
    cause = only(causes(facts(sink("users.parked", tripped="5 in a row"))))
    assert "`productiv-bridge resume users`" in cause.todo


@pytest.mark.parametrize(
    ("denied", "whose", "section"),
    [(True, Whose.ACCESS, Section.DENIED), (False, Whose.PRODUCTIV, Section.UNAVAILABLE)],
)
def test_without_a_token_nothing_else_is_said_of_the_api(
    denied: bool, whose: Whose, section: Section
) -> None:
    missing = {"usage": NoToken("no access token: the token endpoint answered 401", denied)}
    cause = only(causes(facts(sink(waiting=DOWN, denied=True, flow=STANDS), no_token=missing)))
    assert (cause.whose, cause.section, cause.weight) == (whose, section, Weight.STOPPED)


# Six plots of half an hour each: ten minutes ago is the fourth from the end.
GROWING = replace(FLOWS, plots=Plots(1800.0, (), (0, 0, 0, 0, 0, 20_000, 20_000, 20_000, 20_000)))


@pytest.mark.parametrize(("lag", "said"), [(25_001, True), (25_000, False)])
def test_a_lag_that_grew_is_said(lag: int, said: bool) -> None:
    assert [cause.section for cause in causes(facts(sink(flow=GROWING, lag=lag)))] == [Section.LAG] * said


def test_a_lag_is_not_judged_before_ten_minutes() -> None:
    young = replace(GROWING, plots=replace(GROWING.plots, seconds=FRESH_SECONDS - 1))
    assert causes(facts(sink(flow=young, lag=10**9))) == []


@pytest.mark.parametrize(
    ("label", "weight", "whose"),
    [
        ("unavailable", Weight.WAITING, Whose.PRODUCTIV),
        ("throttled", Weight.WAITING, Whose.PRODUCTIV),
        ("refused", Weight.STOPPED, Whose.OPERATOR),
        ("denied", Weight.STOPPED, Whose.OPERATOR),
    ],
)
def test_a_round_that_failed(label: str, weight: Weight, whose: Whose) -> None:
    cause = only(causes(facts(source(failed="so", failed_label=label))))
    assert (cause.weight, cause.whose, cause.section) == (weight, whose, Section.SOURCE)


def test_the_worst_comes_first() -> None:
    found = causes(facts(sink(dead_letters=[kind(1.0)], waiting=DOWN), sink("users", tripped="so")))
    assert [cause.weight for cause in found] == list(Weight)


def test_what_is_alike_is_said_once_since_it_first_was() -> None:
    found = causes(
        facts(sink(kafka_trouble="so"), sink("users", kafka_trouble="so"), sink("spend", in_doubt=1))
    )
    dated = [replace(cause, since=9.0 - index) for index, cause in enumerate(found)]
    kafka, doubt = merged(dated)
    assert (kafka.streams, kafka.since) == (("usage", "users"), 8.0)
    assert doubt.streams == ("spend",)
