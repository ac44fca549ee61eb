"""Of a whole list only what is new, changed or gone goes out, each once, whatever happens in between."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.core.errors import BridgeError
from bridge.core.polling import Ask, Page, RoundFailed
from bridge.core.record import Doc
from bridge.core.stream import Operation
from bridge.streams.apps import APPS
from bridge.streams.workflows import WORKFLOWS
from tests.core.rounds import HOUR, NOW, Player, rows

FIXTURES = Path(__file__).parent / "fixtures"


class Portfolio:
    """The apps as the API tells of them; `hidden` are those that have no details."""

    def __init__(self, *ids: str) -> None:
        self.summaries: dict[str, Doc] = {each: {"applicationId": each, "appName": "A"} for each in ids}
        self.details: dict[str, Doc] = {}
        self.hidden: set[str] = set()

    def __call__(self, ask: Ask) -> Page | None:
        if ask.operation is Operation.GET_APP_SUMMARIES:
            return rows(*self.summaries.values())
        assert ask.operation is Operation.GET_APP_DETAILS
        app = ask.place["app"]
        if app in self.hidden or app not in self.summaries:
            return None
        return rows({**self.summaries[app], **self.details.get(app, {})})


class Workflows(list[Doc]):
    def __call__(self, ask: Ask) -> Page | None:
        assert ask.operation is Operation.LIST_WORKFLOWS
        return rows(*self)


def workflows(*ids: str, **fields: Any) -> Workflows:
    return Workflows({"workflowId": each, **fields} for each in ids)


def details_asked(player: Player) -> list[str]:
    return [ask.place["app"] for ask in player.asked if ask.operation is Operation.GET_APP_DETAILS]


def test_only_what_changed_goes_out() -> None:
    listed = workflows("b", "a", status="on")
    player = Player(WORKFLOWS, listed)
    assert [(e.output, e.key, e.doc, e.at) for e in player.play(NOW)] == [
        ("workflows", "a", {"workflowId": "a", "status": "on"}, None),
        ("workflows", "b", {"workflowId": "b", "status": "on"}, None),
    ]
    assert player.play(NOW) == []
    assert player.writes == []
    listed[0]["status"] = "off"
    assert [(e.key, e.doc) for e in player.play(NOW)] == [("b", {"workflowId": "b", "status": "off"})]
    del listed[1]
    assert [(e.key, e.doc) for e in player.play(NOW)] == [("a", None)]
    assert list(player.cursor) == ["item/b"]
    listed.append({"workflowId": "a", "status": "on"})
    assert [e.key for e in player.play(NOW)] == ["a"]


def test_of_an_id_that_is_listed_twice_the_last_row_counts() -> None:
    player = Player(WORKFLOWS, Workflows([*workflows("a", status="old"), *workflows("a", status="new")]))
    assert [e.doc for e in player.play(NOW)] == [{"workflowId": "a", "status": "new"}]


def test_what_is_unknown_counts_and_the_order_of_its_fields_does_not() -> None:
    player = Player(WORKFLOWS, workflows("a", owner={"x": 1, "y": 2}))
    player.play(NOW)
    player.answer = workflows("a", owner={"y": 2, "x": 1})
    assert player.play(NOW) == []
    player.answer = workflows("a", owner={"y": 2, "x": 3})
    assert [e.doc for e in player.play(NOW)] == [{"workflowId": "a", "extra": {"owner": '{"x":3,"y":2}'}}]


def test_a_list_goes_out_in_several_writes() -> None:
    player = Player(WORKFLOWS, workflows(*(f"{n:04}" for n in range(1100))), max_vanished_share=1)
    assert len(player.play(NOW)) == 1100
    assert [len(write.emissions) for write in player.writes] == [500, 500, 100]
    player.answer = workflows()
    assert len(player.play(NOW)) == 1100
    assert [len(write.emissions) for write in player.writes] == [500, 500, 100]
    assert player.cursor == {}


def test_without_a_list_nothing_is_taken_away() -> None:
    player = Player(WORKFLOWS, workflows("a"))
    player.play(NOW)
    player.answer = lambda ask: None
    with pytest.raises(RoundFailed) as failed:
        player.play(NOW)
    assert failed.value.label == "not_as_described"
    assert list(player.cursor) == ["item/a"]


@pytest.mark.parametrize(
    ("known", "gone", "share", "stopped"),
    [
        (20, 11, 0.5, True),
        (22, 11, 0.5, False),
        (21, 11, 0.5, True),
        (10, 10, 0.5, False),
        (11, 11, 0.5, True),
        (11, 11, 1.0, False),
        (100, 11, 0.1, True),
        (100, 11, 0.0, True),
    ],
)
def test_the_safety_valve(known: int, gone: int, share: float, stopped: bool) -> None:
    ids = [f"{n:03}" for n in range(known)]
    player = Player(WORKFLOWS, workflows(*ids), max_vanished_share=share)
    player.play(NOW)
    player.answer = workflows(*ids[gone:], "new")
    if not stopped:
        assert [(e.key, e.doc is None) for e in player.play(NOW)] == [
            ("new", False),
            *((each, True) for each in ids[:gone]),
        ]
        return
    with pytest.raises(RoundFailed, match=r"sources\.workflows\.max_vanished_share") as failed:
        player.play(NOW)
    assert failed.value.label == "vanished"
    assert f"{gone} of {known} " in str(failed.value)
    assert [e.key for e in player.out[known:]] == ["new"]  # what is certain goes out all the same
    assert set(player.cursor) == {f"item/{each}" for each in [*ids, "new"]}


def test_a_record_is_the_summary_with_its_details() -> None:
    portfolio = Portfolio("1")
    portfolio.summaries["1"]["Tier"] = 1
    portfolio.details["1"] = {
        "applicationId": "another spelling",
        "appName": "A in full",
        "instances": [{"instanceId": "i", "region": "eu"}],
        "fiscalSpend": {"totalSpend": 12, "currency": "EUR"},
        "activity": {"totalUsers": "many"},
    }
    player = Player(APPS, portfolio)
    assert [e.doc for e in player.play(NOW)] == [
        {
            "applicationId": "1",
            "appName": "A in full",
            "instances": [{"instanceId": "i", "extra": {"region": '"eu"'}}],
            "fiscalSpend": {"totalSpend": 12.0, "currency": "EUR"},
            "activity": {"extra": {"totalUsers": '"many"'}},
            "extra": {"Tier": "1"},
        }
    ]


def test_details_are_asked_for_what_is_new_or_changed_and_for_all_once_in_a_while() -> None:
    portfolio = Portfolio(*(f"{n:03}" for n in range(120)))
    player = Player(APPS, portfolio)
    assert len(player.play(NOW)) == 120
    assert player.waves == [1, 50, 50, 20]
    assert [len(write.emissions) for write in player.writes] == [50, 50, 20]
    player.play(NOW)
    assert details_asked(player) == []

    portfolio.summaries["007"]["appName"] = "B"
    assert [e.key for e in player.play(NOW)] == ["007"]
    assert details_asked(player) == ["007"]

    portfolio.details = {app: {"vendorName": "V"} for app in portfolio.summaries}
    counts, changed = [], []
    for hour in range(1, 25):
        changed += [e.key for e in player.play(NOW + hour * HOUR)]
        counts.append(len(details_asked(player)))
    assert sorted(changed) == sorted(portfolio.summaries)
    assert sum(counts) == 120
    assert max(counts) < 30  # spread over the day


def test_details_that_are_not_there_are_asked_for_again() -> None:
    portfolio = Portfolio("1")
    portfolio.hidden.add("1")
    portfolio.details["1"] = {"vendorName": "V"}
    player = Player(APPS, portfolio)
    assert [e.doc for e in player.play(NOW)] == [{"applicationId": "1", "appName": "A"}]
    assert player.play(NOW) == []
    assert details_asked(player) == ["1"]
    portfolio.hidden.clear()
    assert [e.doc for e in player.play(NOW)] == [{"applicationId": "1", "appName": "A", "vendorName": "V"}]
    player.play(NOW)
    assert details_asked(player) == []


def test_a_cursor_of_a_newer_version_is_left_alone() -> None:
    player = Player(WORKFLOWS, workflows(), {"item/a": {"format": 2, "hash": "?"}})
    with pytest.raises(BridgeError, match="'item/a' has format 2"):
        player.play(NOW)


def test_the_first_format_of_workflows_is_read_for_ever() -> None:
    cursor = json.loads((FIXTURES / "workflows_format_1.json").read_text())
    player = Player(
        WORKFLOWS, Workflows([{"workflowId": "w/1", "workflowName": "Leavers", "status": "on"}]), cursor
    )
    assert [(e.key, e.doc) for e in player.play(NOW)] == [("w2", None)]


def test_the_first_format_of_apps_is_read_for_ever() -> None:
    cursor = json.loads((FIXTURES / "apps_format_1.json").read_text())
    portfolio = Portfolio("1", "2", "3")
    portfolio.details["1"] = {"vendorName": "V"}
    player = Player(APPS, portfolio, cursor)
    assert player.play(NOW) == []
    assert details_asked(player) == ["2"]  # it had none
    assert [e.key for e in player.play(NOW + 24 * HOUR)] == []
    assert details_asked(player) == ["1", "2", "3"]


class ListingThroughCrashes(RuleBasedStateMachine):
    """Plays an API that changes at any time and a process that dies at any step.

    `held` is what a reader of the compacted topic has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.api = Portfolio()
        self.player = Player(APPS, self.api, max_vanished_share=1)
        self.revision = 0

    @initialize(count=st.integers(0, 60))
    def begin(self, count: int) -> None:
        """So many that details take more than one wave."""
        self.api.summaries = {f"p{n}": {"applicationId": f"p{n}"} for n in range(count)}

    def change(self) -> int:
        self.revision += 1
        return self.revision

    @rule(app=st.sampled_from("abcd/"))
    def in_the_summary(self, app: str) -> None:
        self.api.summaries[app] = {"applicationId": app, "appName": f"v{self.change()}"}

    @precondition(lambda self: self.api.summaries)
    @rule(data=st.data())
    def in_the_details(self, data: st.DataObject) -> None:
        app = data.draw(st.sampled_from(sorted(self.api.summaries)))
        self.api.details[app] = {"vendorName": f"v{self.change()}"}

    @precondition(lambda self: self.api.summaries)
    @rule(data=st.data())
    def vanishes(self, data: st.DataObject) -> None:
        self.change()
        app = data.draw(st.sampled_from(sorted(self.api.summaries)))
        del self.api.summaries[app]
        self.api.details.pop(app, None)

    @rule(app=st.sampled_from("abcd/"))
    def has_no_details(self, app: str) -> None:
        self.change()
        self.api.hidden ^= {app}

    @precondition(lambda self: not self.player.under_way)
    @rule(hours=st.integers(0, 30))
    def start_round(self, hours: int) -> None:
        self.now += hours * HOUR
        self.player.begin(self.now)

    @precondition(lambda self: self.player.under_way)
    @rule()
    def step(self) -> None:
        self.player.step()

    @precondition(lambda self: self.player.under_way)
    @rule()
    def die_or_fail(self) -> None:
        self.player.crash()

    @invariant()
    def each_record_says_something_new(self) -> None:
        held: dict[str, Doc | None] = {}
        for emission in self.player.out:
            assert emission.doc != held.get(emission.key), emission
            held[emission.key] = emission.doc
        known = {name.removeprefix("item/") for name in self.player.cursor}
        assert known == {key for key, doc in held.items() if doc is not None}
        self.held = held

    def teardown(self) -> None:
        """A day after the last change, the topic holds what the API says, and nothing goes out any more."""
        if self.player.under_way:
            self.player.crash()
        self.player.play(self.now + 25 * HOUR)
        self.each_record_says_something_new()
        assert {key: doc for key, doc in self.held.items() if doc is not None} == {
            app: {**summary, **({} if app in self.api.hidden else self.api.details.get(app, {}))}
            for app, summary in self.api.summaries.items()
        }
        assert self.player.play(self.now + 25 * HOUR) == []


TestListingThroughCrashes = ListingThroughCrashes.TestCase
TestListingThroughCrashes.settings = settings(max_examples=100, stateful_step_count=40)
