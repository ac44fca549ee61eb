"""Registers applications at Productiv, each once, and remembers their ids."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import structlog

from bridge.core.errors import ConfigError
from bridge.kafka.registered_apps import RegisteredApp

log = structlog.get_logger(__name__)

Wanted = Mapping[str, Mapping[str, str]]
"""Applications by name, each with what Productiv is told of it: `description`, `category`, `url`."""


class Memory(Protocol):
    """What remembers the registered applications."""

    def read(self) -> dict[str, RegisteredApp]:
        """All of them by name."""
        ...

    def check(self) -> None:
        """Raises a `BridgeError` where nothing could be written."""

    def write(self, app: RegisteredApp) -> None:
        """Returns once it is safe."""


class Turn(Protocol):
    """What keeps two processes from registering the same application."""

    def take(self) -> None:
        """Returns once it is our turn."""

    def give_back(self) -> None:
        """Lets the next one have its turn."""


class Productiv(Protocol):
    """What is asked of the API."""

    async def summaries(self) -> list[dict[str, Any]]:
        """The company's apps, with `applicationId` and `appName`."""
        ...

    async def register(self, name: str, **about: str) -> str:
        """Registers an app and returns its id."""
        ...


@dataclass(frozen=True, slots=True)
class Registration:
    """What became of one name: `known` before, `found` at Productiv by its name, or newly `registered`."""

    name: str
    app_id: str
    how: Literal["known", "found", "registered"]


class Registry:
    """Registers what is missing. `now` is the time of day, with its zone."""

    def __init__(self, memory: Memory, turn: Turn, now: Callable[[], datetime]) -> None:
        self._memory = memory
        self._turn = turn
        self._now = now

    async def names(self) -> dict[str, str]:
        """The app id of each application that is remembered, by name.

        Raises:
            BridgeError: the memory cannot be read.
        """
        return {app.name: app.app_id for app in (await asyncio.to_thread(self._memory.read)).values()}

    async def register(self, wanted: Wanted, productiv: Productiv) -> list[Registration]:
        """Makes sure that each application has an id, one after the other, and asks the API only if it must.

        One that is not remembered but has a summary of the same name at Productiv gets that app's id: a crash
        between the API's answer and the memory leaves such a one behind.

        Raises:
            BridgeError: the memory or the API does not do its part; what was done until then is remembered.
        """
        known = await self.names()
        if all(name in known for name in wanted):
            return [Registration(name, known[name], "known") for name in wanted]
        await asyncio.to_thread(self._memory.check)
        async with self._our_turn():
            known = await self.names()  # somebody else may have had a turn before us
            at_productiv = _by_name(await productiv.summaries())
            return [
                Registration(name, known[name], "known")
                if name in known
                else await self._register(name, about, at_productiv.get(name, []), productiv)
                for name, about in wanted.items()
            ]

    async def _register(
        self, name: str, about: Mapping[str, str], found: Sequence[str], productiv: Productiv
    ) -> Registration:
        if len(found) > 1:
            raise ConfigError(
                f"{len(found)} apps at Productiv have the name {name!r}: {', '.join(found)}; say in "
                "apps.names which of them is meant"
            )
        app_id = found[0] if found else await productiv.register(name, **about)
        moment = self._now().isoformat(timespec="seconds")
        await asyncio.to_thread(self._memory.write, RegisteredApp(name, app_id, moment))
        if found:
            log.info("application_found", name=name, app_id=app_id)
            return Registration(name, app_id, "found")
        log.info("application_registered", name=name, app_id=app_id)
        return Registration(name, app_id, "registered")

    @asynccontextmanager
    async def _our_turn(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self._turn.take)
        try:
            yield
        finally:
            await asyncio.to_thread(self._turn.give_back)


def chosen(names: Sequence[str], configured: Wanted, mapped: Mapping[str, str]) -> Wanted:
    """The applications that a command names, with what the configuration tells of them.

    If it names none, all that are configured. `mapped` are the names whose ids the configuration gives.

    Raises:
        ConfigError: there is nothing to register, or a name has its id already or cannot be one.
    """
    for name in names:
        if name in mapped:
            raise ConfigError(f"apps.names gives the id of {name!r} already: {mapped[name]}")
        if not name.strip() or not name.isprintable():
            raise ConfigError(f"{name!r} is no name for an application; use printable characters")
    if not names and not configured:
        raise ConfigError("there is nothing to register; name an application, or configure `applications`")
    return {name: configured.get(name, {}) for name in names} if names else configured


def overview(
    configured: Wanted,
    mapped: Mapping[str, str],
    remembered: Mapping[str, RegisteredApp],
    summaries: Sequence[Mapping[str, Any]],
    everything: bool = False,
) -> list[dict[str, Any]]:
    """What is known of each application, by name; with `everything` also of those only Productiv knows of.

    `app_id` is None where an application is configured and not yet registered; `registered_at` where the id
    comes from the configuration; `status`, `vendor` and `category` where Productiv has no summary of the id.
    """
    ids: dict[str, str] = {name: app.app_id for name, app in remembered.items()} | dict(mapped)
    times = {name: app.registered_at for name, app in remembered.items() if name not in mapped}
    by_id = {summary["applicationId"]: summary for summary in summaries}
    rows = [
        {
            "name": name,
            "app_id": ids.get(name),
            "configured": name in configured or name in mapped,
            "registered_at": times.get(name),
            **_said(by_id.get(ids.get(name, ""), {})),
        }
        for name in sorted({*configured, *ids})
    ]
    rest = [each for app_id, each in by_id.items() if everything and app_id not in ids.values()]
    for each in sorted(rest, key=lambda each: (each.get("appName") or "", each["applicationId"])):
        about = {"name": each.get("appName"), "app_id": each["applicationId"]}
        rows.append({**about, "configured": False, "registered_at": None, **_said(each)})
    return rows


def _said(summary: Mapping[str, Any]) -> dict[str, Any]:
    told = {"status": "appStatus", "vendor": "vendorName", "category": "appCategory"}
    return {key: summary.get(field) for key, field in told.items()}


def _by_name(summaries: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for summary in summaries:
        if isinstance(name := summary.get("appName"), str):
            found.setdefault(name, []).append(summary["applicationId"])
    return found
