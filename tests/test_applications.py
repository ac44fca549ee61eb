"""Applications get their ids once: from memory, else from Productiv by name, else by registering."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.applications import Registration, Registry, chosen, overview
from bridge.core.errors import BridgeError, ConfigError
from bridge.kafka.registered_apps import RegisteredApp

pytestmark = pytest.mark.anyio

NOON = "2026-01-01T12:00:00+00:00"
CRM = RegisteredApp("CRM", "app-1", NOON)


class World:
    """Memory, turn and Productiv, and what was done to them in order."""

    def __init__(self, *remembered: RegisteredApp, at_productiv: dict[str, str] | None = None) -> None:
        self.remembered = {app.name: app for app in remembered}
        self.at_productiv = dict(at_productiv or {})  # name by id
        self.did: list[str] = []
        self.told: list[dict[str, str]] = []
        self.others: list[RegisteredApp] = []  # written by another process while this one waits
        self.full = False

    def read(self) -> dict[str, RegisteredApp]:
        return dict(self.remembered)

    def check(self) -> None:
        self.did.append("check")

    def write(self, app: RegisteredApp) -> None:
        if self.full:
            raise BridgeError("not written")
        self.remembered[app.name] = app

    def take(self) -> None:
        self.did.append("take")
        self.remembered |= {app.name: app for app in self.others}

    def give_back(self) -> None:
        self.did.append("give back")

    async def summaries(self) -> list[dict[str, Any]]:
        self.did.append("look")
        return [{"applicationId": app_id, "appName": name} for app_id, name in self.at_productiv.items()] + [
            {"applicationId": "nameless"}
        ]

    async def register(self, name: str, **about: str) -> str:
        self.did.append(f"register {name}")
        self.told.append(about)
        app_id = f"new-{len(self.at_productiv)}"
        self.at_productiv[app_id] = name
        return app_id

    @property
    def registry(self) -> Registry:
        return Registry(self, self, lambda: datetime(2026, 1, 1, 12, tzinfo=UTC))


async def test_what_is_remembered_is_asked_of_nobody() -> None:
    world = World(CRM)
    assert await world.registry.register({"CRM": {}}, world) == [Registration("CRM", "app-1", "known")]
    assert await world.registry.names() == {"CRM": "app-1"}
    assert world.did == []


async def test_only_what_is_missing_is_registered_and_remembered() -> None:
    world = World(CRM)
    done = await world.registry.register({"Wiki": {"category": "c"}, "CRM": {}}, world)
    assert done == [Registration("Wiki", "new-0", "registered"), Registration("CRM", "app-1", "known")]
    assert world.did == ["check", "take", "look", "register Wiki", "give back"]
    assert world.told == [{"category": "c"}]
    assert world.remembered["Wiki"] == RegisteredApp("Wiki", "new-0", NOON)


async def test_a_crash_between_the_answer_and_the_memory_registers_nothing_twice() -> None:
    world = World()
    world.full = True
    with pytest.raises(BridgeError, match="not written"):
        await world.registry.register({"CRM": {}}, world)
    assert world.did[-1] == "give back"
    world.full = False
    assert await world.registry.register({"CRM": {}}, world) == [Registration("CRM", "new-0", "found")]
    assert world.remembered["CRM"].app_id == "new-0"
    assert world.did.count("register CRM") == 1


async def test_what_another_process_registered_while_we_waited_is_known() -> None:
    world = World()
    world.others = [CRM]
    assert await world.registry.register({"CRM": {}}, world) == [Registration("CRM", "app-1", "known")]
    assert "register CRM" not in world.did


async def test_two_apps_of_one_name_are_not_chosen_between() -> None:
    world = World(at_productiv={"a": "CRM", "b": "CRM"})
    with pytest.raises(
        ConfigError, match=r"2 apps at Productiv have the name 'CRM': a, b; say in apps\.names"
    ):
        await world.registry.register({"CRM": {}}, world)
    assert world.remembered == {}


def test_a_command_takes_the_names_it_is_given_with_what_is_configured_of_them() -> None:
    configured = {"CRM": {"category": "c"}, "Wiki": {}}
    assert chosen([], configured, {}) == configured
    assert chosen(["New", "CRM"], configured, {}) == {"New": {}, "CRM": {"category": "c"}}


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([], "nothing to register; name an application, or configure"),
        (["CRM"], r"apps\.names gives the id of 'CRM' already: 7"),
        (["a\nb"], "is no name for an application"),
        ([" "], "is no name for an application"),
    ],
)
def test_what_cannot_be_registered_is_said(names: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        chosen(names, {}, {"CRM": "7"})


def test_the_overview_joins_all_sources_by_id() -> None:
    remembered = {
        "CRM": CRM,
        "Old": RegisteredApp("Old", "gone", NOON),
        "Both": RegisteredApp("Both", "x", NOON),
    }
    summaries = [
        {
            "applicationId": "app-1",
            "appName": "Renamed",
            "appStatus": "Approved",
            "vendorName": "V",
            "appCategory": "C",
        },
        {"applicationId": "y", "appName": "Both"},
        {"applicationId": "z"},
    ]
    rows = overview({"New": {}, "CRM": {}}, {"Both": "y"}, remembered, summaries, everything=True)
    columns = ("name", "app_id", "configured", "registered_at", "status", "vendor", "category")
    assert [tuple(row[column] for column in columns) for row in rows] == [
        ("Both", "y", True, None, None, None, None),
        ("CRM", "app-1", True, NOON, "Approved", "V", "C"),
        ("New", None, True, None, None, None, None),
        ("Old", "gone", False, NOON, None, None, None),
        (None, "z", False, None, None, None, None),
    ]
    assert len(overview({"New": {}}, {}, {}, summaries)) == 1
