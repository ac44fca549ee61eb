"""Provisioned users: add or update, list, delete; one per e-mail address whatever its case."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bridge.sandbox.call import ACCEPTED, Answer, Batch, Call, Listing, Operation, Page, json_answer, refusal
from bridge.sandbox.config import CONNECTOR_WRITE, SandboxConfig
from bridge.sandbox.fields import email_problem, text_problem


@dataclass(slots=True)
class _Figures:
    posted: int = 0
    deleted: int = 0
    deleted_unknown: int = 0
    batches: int = 0
    largest_batch: int = 0


@dataclass(slots=True)
class _App:
    users: dict[str, dict[str, Any]] = field(default_factory=dict)  # by e-mail in lower case
    figures: _Figures = field(default_factory=_Figures)

    def count(self, records: int) -> None:
        self.figures.batches += 1
        self.figures.largest_batch = max(self.figures.largest_batch, records)


class Users:
    """The users of each app: the set that POST adds to and DELETE takes from."""

    name = "users"
    content_path = "users"

    def __init__(self, config: SandboxConfig) -> None:
        self._max_users = config.max_held
        self._apps: dict[str, _App] = {}

    def operations(self) -> Sequence[Operation]:
        """The three calls of this group, on one address."""
        path = "/services/push/v1/customer/apps/{app}/users"
        added, removed = Batch("users", user_problem), Batch("users", removal_problem)
        return [
            Operation("publish_provisioned_users", "POST", path, CONNECTOR_WRITE, self._publish, added),
            Operation("delete_provisioned_users", "DELETE", path, CONNECTOR_WRITE, self._delete, removed),
            Operation(
                "get_provisioned_users", "GET", path, CONNECTOR_WRITE, self._list, listing=Listing("users")
            ),
        ]

    def _publish(self, call: Call) -> Answer:
        app = self._apps.setdefault(call.app, _App())
        if sum(len(other.users) for other in self._apps.values()) + len(call.records) > self._max_users:
            return refusal(400, f"the sandbox holds at most {self._max_users} users")
        app.users.update({user["email"].lower(): user for user in call.records})
        app.figures.posted += len(call.records)
        app.count(len(call.records))
        return ACCEPTED

    def _delete(self, call: Call) -> Answer:
        app = self._apps.setdefault(call.app, _App())
        found = sum(app.users.pop(user["email"].lower(), None) is not None for user in call.records)
        app.figures.deleted += found
        app.figures.deleted_unknown += len(call.records) - found
        app.count(len(call.records))
        return ACCEPTED

    def _list(self, call: Call) -> Answer:
        app = self._apps.get(call.app, _App())
        return json_answer(200, {"users": list(app.users.values())})

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """Users there are now, and records posted and deleted so far, by app."""
        return {name: {"users": len(app.users), **asdict(app.figures)} for name, app in self._apps.items()}

    def page(self, app: str, offset: int, limit: int) -> Page:
        """The users there are now, as they were last posted."""
        users = list(self._apps.get(app, _App()).users.values())
        return Page(users[offset : offset + limit], len(users), len(users))

    def reset(self) -> None:
        """Forgets all users."""
        self._apps.clear()


def user_problem(user: Any) -> str | None:
    """What is wrong with a user to add, or None."""
    return removal_problem(user) or text_problem(user, "firstName", "lastName", "role")


def removal_problem(user: Any) -> str | None:
    """What is wrong with a user to remove, or None."""
    return email_problem(user, "email") if isinstance(user, dict) else "a user must be an object"
