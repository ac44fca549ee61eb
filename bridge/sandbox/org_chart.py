"""Publish the org chart: at most 1000 people a request, several requests for one chart."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bridge.sandbox.call import ACCEPTED, Answer, Batch, Call, Operation, Page, refusal
from bridge.sandbox.config import CONNECTOR_WRITE, SandboxConfig
from bridge.sandbox.fields import email_problem, text_problem


@dataclass(slots=True)
class _Chart:
    people: dict[str, dict[str, Any]] = field(default_factory=dict)  # by e-mail in lower case
    custom_fields: list[Any] = field(default_factory=list)
    accepted: int = 0
    batches: int = 0
    largest_batch: int = 0


class OrgChart:
    """The people of the company; a request adds people and updates those there are."""

    name = "org_chart"
    content_path = "org-chart"

    def __init__(self, config: SandboxConfig) -> None:
        self._max_people = config.max_held
        self._chart = _Chart()

    def operations(self) -> Sequence[Operation]:
        """The one call of this group."""
        path = "/services/push/v1/customer/org-chart"
        batch = Batch("users", person_problem, required=False)
        return [Operation("publish_org_chart", "PUT", path, CONNECTOR_WRITE, self._publish, batch)]

    def _publish(self, call: Call) -> Answer:
        definitions = call.document.get("customFieldsConfig")
        if problem := _definitions_problem(definitions):
            return refusal(400, problem)
        chart = self._chart
        if len(chart.people) + len(call.records) > self._max_people:
            return refusal(400, f"the sandbox holds at most {self._max_people} people")
        if definitions is not None:
            chart.custom_fields = definitions
        chart.people.update({person["email"].lower(): person for person in call.records})
        chart.accepted += len(call.records)
        chart.batches += 1
        chart.largest_batch = max(chart.largest_batch, len(call.records))
        return ACCEPTED

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """People there are now, custom fields defined, and what came so far."""
        chart = self._chart
        figures = {**asdict(replace(chart, people={})), "people": len(chart.people)}
        return {"": figures} if chart.batches else {}

    def page(self, app: str, offset: int, limit: int) -> Page:
        """The people as they were last published; there is one chart, not one per app."""
        people = list(self._chart.people.values())
        return Page(people[offset : offset + limit], len(people), len(people))

    def reset(self) -> None:
        """Forgets the chart."""
        self._chart = _Chart()


def person_problem(person: Any) -> str | None:
    """What is wrong with one person, or None."""
    if not isinstance(person, dict):
        return "a person must be an object"
    if problem := email_problem(person, "email"):
        return problem
    if person.get("managerEmail") is not None and (problem := email_problem(person, "managerEmail")):
        return problem
    return text_problem(person, "firstName", "lastName", "department", "title")


def _definitions_problem(definitions: Any) -> str | None:
    if definitions is None:
        return None
    if not isinstance(definitions, list) or not all(
        isinstance(definition, dict) for definition in definitions
    ):
        return "customFieldsConfig must be an array of objects"
    problems = (text_problem(definition, "name", "type") for definition in definitions)
    return next(filter(None, problems), None)
