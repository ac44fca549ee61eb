"""App summaries and app details: the apps planned, those registered, and those set by hand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.sandbox.apps import Apps
from bridge.sandbox.call import Answer, Call, Listing, Operation, Page, json_answer, json_object, refusal
from bridge.sandbox.chance import chances
from bridge.sandbox.config import REPORT_READ, SandboxConfig
from bridge.sandbox.plans import PortfolioPlan
from bridge.sandbox.portfolio_app import DETAILS, FIELDS, SUMMARY, described


class Portfolio:
    """The apps of the company as they are now. `clock` gives seconds since the epoch."""

    name = "portfolio"
    content_path = "portfolio"

    def __init__(self, config: SandboxConfig, clock: Callable[[], float], apps: Apps) -> None:
        self._plan = config.portfolio or PortfolioPlan(0)
        self._seed = config.seed
        self._max_apps = config.max_apps
        self._clock = clock
        self._apps = apps
        self.reset()

    def reset(self) -> None:
        """Begins the plan again, and forgets what was set by hand."""
        self._begin = self._clock()
        self._churned = 0
        self._newest = self._plan.apps
        self._revisions = {f"saas-{number + 1}": 0 for number in range(self._plan.apps)}
        self._by_hand: dict[str, dict[str, Any]] = {}
        self._gone: set[str] = set()

    def operations(self) -> Sequence[Operation]:
        """The list of all apps, and one in detail."""
        path = "/services/export/v1/customer"
        summaries, details = f"{path}/app-summaries", f"{path}/app-details/{{app}}"
        listing = Listing("apps")
        return [
            Operation("get_app_summaries", "GET", summaries, REPORT_READ, self._summaries, listing=listing),
            Operation("get_app_details", "GET", details, REPORT_READ, self._details),
        ]

    def switches(self) -> Sequence[Operation]:
        """Setting fields of an app, new or not, and taking it away."""
        path = "/_sandbox/portfolio/{app}"
        return [
            Operation("set_app", "PUT", path, None, self._set),
            Operation("remove_app", "DELETE", path, None, self._remove),
        ]

    def _summaries(self, _call: Call) -> Answer:
        apps = self._all()
        return json_answer(200, {"apps": [{name: app[name] for name in SUMMARY} for app in apps]})

    def _details(self, call: Call) -> Answer:
        self._churn_till_now()
        app = self._app(call.app)
        if app is None:
            return refusal(404, "there is no such application")
        return json_answer(200, {name: app[name] for name in DETAILS})

    def _set(self, call: Call) -> Answer:
        fields, app = json_object(call.body), call.params["app"]
        if not fields.keys() <= set(FIELDS[1:]):
            raise ValueError(f"an app has these fields: {', '.join(FIELDS[1:])}")
        self._churn_till_now()
        if self._app(app) is None and self._apps.summary(app) is None:
            if len(self._revisions) >= self._max_apps:
                raise ValueError(f"the sandbox holds at most {self._max_apps} apps in the portfolio")
            self._revisions[app] = 0
        self._gone.discard(app)
        self._by_hand[app] = {**self._by_hand.get(app, {}), **fields}
        return json_answer(200, self._app(app))

    def _remove(self, call: Call) -> Answer:
        self._churn_till_now()
        app = self._app(call.params["app"])
        if app is None:
            return refusal(404, "there is no such application")
        self._take_away(app["ApplicationId"])
        return json_answer(200, app)

    def _take_away(self, app: str) -> None:
        self._by_hand.pop(app, None)
        self._revisions.pop(app, None)
        if self._apps.summary(app):
            self._gone.add(app)

    def _app(self, app: str) -> dict[str, Any] | None:
        """All fields of an app, or None."""
        summary = self._apps.summary(app)
        if app in self._gone or (summary is None and app not in self._revisions):
            return None
        plain = described(self._seed, app, self._revisions.get(app, 0))
        return {**plain, **(summary or {}), **self._by_hand.get(app, {})}

    def _ids(self) -> list[str]:
        self._churn_till_now()
        ids = dict.fromkeys([*self._apps.ids(), *self._revisions])
        return [app for app in ids if app not in self._gone]

    def _all(self) -> list[dict[str, Any]]:
        return [app for app in map(self._app, self._ids()) if app is not None]

    def _churn_till_now(self) -> None:
        if self._plan.churn_seconds is None:
            return
        due = int((self._clock() - self._begin) / self._plan.churn_seconds)
        for number in range(self._churned, due):
            self._churn(number)
        self._churned = max(self._churned, due)

    def _churn(self, number: int) -> None:
        """One app comes, goes or changes; there are always between half and twice as many as planned."""
        what, which = chances(self._seed, "churn", number)[:2]
        ids = list(self._revisions)
        if what < 0.2 and len(ids) < 2 * self._plan.apps:
            self._newest += 1
            self._revisions[f"saas-{self._newest}"] = 0
        elif what < 0.4 and 2 * (len(ids) - 1) >= self._plan.apps:
            self._take_away(ids[int(which * len(ids))])
        elif ids:
            self._revisions[ids[int(which * len(ids))]] += 1

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """How many apps there are, those registered included."""
        count = len(self._ids())
        return {"": {"apps": count}} if count else {}

    def page(self, app: str, offset: int, limit: int) -> Page:
        """The apps there are now with all their fields, or the one asked for."""
        found = [record for record in self._all() if app in ("", record["ApplicationId"])]
        return Page(found[offset : offset + limit], len(found), len(found))
