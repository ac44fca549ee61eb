"""Set up an application, which gives it an id."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from bridge.sandbox.call import Answer, Call, Operation, Page, json_answer, refusal
from bridge.sandbox.config import CONNECTOR_WRITE, SandboxConfig
from bridge.sandbox.fields import text_problem


class Apps:
    """The apps registered so far. The same name registered twice makes two, as nothing says otherwise."""

    name = "registration"
    content_path = "apps"

    def __init__(self, config: SandboxConfig) -> None:
        self._known = config.apps
        self._max_apps = config.max_apps
        self._met: set[str] = set()
        self._registered: dict[str, dict[str, Any]] = {}

    def operations(self) -> Sequence[Operation]:
        """The one call of this group."""
        path = "/services/push/v1/customer/apps"
        return [Operation("setup_application", "POST", path, CONNECTOR_WRITE, self._register)]

    def problem(self, app: str) -> str | None:
        """Why no call can be made for this app id, or None."""
        if app in self._registered or app in self._met:
            return None
        if not app.isprintable() or (self._known is not None and app not in self._known):
            return f"no application has the id {app!r}"
        if len(self._met) >= self._max_apps:
            return f"the sandbox keeps books for {self._max_apps} apps and has met as many"
        self._met.add(app)
        return None

    def _register(self, call: Call) -> Answer:
        try:
            document = orjson.loads(call.body)
        except ValueError:
            return refusal(400, "the body is not JSON")
        if not isinstance(document, dict) or not document.get("appName"):
            return refusal(400, "appName is required")
        if problem := text_problem(document, "appName", "appDescription", "appCategory", "appUrl"):
            return refusal(400, problem)
        if len(self._registered) >= self._max_apps:
            return refusal(400, f"the sandbox holds at most {self._max_apps} registered apps")
        app = f"app-{len(self._registered) + 1}"
        self._registered[app] = {"appId": app, **document}
        return json_answer(200, {"appId": app, "appName": document["appName"]})

    def ids(self) -> list[str]:
        """The ids of the apps that are known from the start or registered."""
        return [*sorted(self._known or ()), *self._registered]

    def summary(self, app: str) -> dict[str, Any] | None:
        """The summary of one of these, or None."""
        if app in self._registered:
            return _summary(self._registered[app])
        return _summary({"appId": app, "appName": app}) if app in (self._known or ()) else None

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """What was registered, by app id."""
        return self._registered

    def page(self, app: str, offset: int, limit: int) -> Page:
        """The registered apps, or the one asked for."""
        found = [record for app_id, record in self._registered.items() if app in ("", app_id)]
        return Page(found[offset : offset + limit], len(found), len(found))

    def reset(self) -> None:
        """Forgets all apps."""
        self._met.clear()
        self._registered.clear()


def _summary(app: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ApplicationId": app["appId"],
        "AppName": app["appName"],
        "AppStatus": "Approved",
        "VendorName": app["appName"],
        "AppCategory": app.get("appCategory", ""),
    }
