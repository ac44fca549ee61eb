"""The org chart: who works in the company, as what and for whom; in changes or in whole snapshots."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on only

from bridge.core.gate import Gate, GateBounds
from bridge.core.record import Doc
from bridge.core.stream import Gating, Operation, SinkStream
from bridge.streams.fields import Email
from bridge.streams.reporting_lines import doubtful_managers
from bridge.streams.snapshots import Changes, SnapshotRules, Snapshots, Unfit

# In lower case, so that a manager and a person are found to be the same however they are spelled.
PersonEmail = Annotated[Email, StringConstraints(to_lower=True)]
Text = Annotated[str, Field(max_length=256, description="text of at most 256 characters")]
CustomFields = Annotated[
    dict[str, Text],
    Field(max_length=100, description="at most 100 custom fields, each with text of at most 256 characters"),
]
SnapshotNumber = Annotated[
    Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)] | None,
    Field(
        description="a whole number greater than that of any earlier snapshot, such as a time in milliseconds"
    ),
]
SnapshotSize = Annotated[
    Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)] | None,
    Field(description="how many different people the snapshot has, as a whole number"),
]


class Person(TypedDict):
    """One person as the API takes it (API description, publishOrgChart); custom fields stand beside these."""

    email: PersonEmail
    firstName: NotRequired[Text | None]
    lastName: NotRequired[Text | None]
    managerEmail: NotRequired[PersonEmail | None]
    department: NotRequired[Text | None]
    title: NotRequired[Text | None]


class PersonRecord(Person):
    """One person as it is on the topic."""

    customFields: NotRequired[CustomFields | None]
    snapshot: NotRequired[SnapshotNumber]
    snapshotSize: NotRequired[SnapshotSize]


def _names_of_their_own(fields: dict[str, str]) -> dict[str, str]:
    if taken := sorted(PersonRecord.__annotations__.keys() & fields.keys()):
        raise ValueError(f"{taken[0]!r} is a field that every person has; give the custom field another name")
    if not all(name.strip() and kind.strip() for name, kind in fields.items()):
        raise ValueError("a custom field needs a name and a type; write it as name: type")
    return fields


class OrgChartOptions(BaseModel):
    """Settings of this stream alone."""

    mode: Literal["upsert", "snapshot"] = Field(
        default="upsert",
        description="upsert = changes go out as they come; snapshot = records say which snapshot they belong "
        "to, and a chart goes out only when it is complete.",
    )
    custom_fields: Annotated[dict[str, str], AfterValidator(_names_of_their_own)] = Field(
        default_factory=dict,
        description="Custom fields that people may have, each with its type, for example Entity: text. They "
        "are defined with every request; a person with any other is a dead letter.",
    )
    max_snapshot_records: int = Field(
        default=50_000,
        ge=1,
        le=10_000_000,
        description="Records of a snapshot at most; a larger one goes to the dead letters as a whole. Keep "
        "it below max_outstanding_records.",
    )
    doubtful_managers: Literal["warn", "refuse"] = Field(
        default="warn",
        description="What becomes of a snapshot in which managers are unknown or report to themselves: warn "
        "= it goes out, and log and metrics say how many; refuse = it goes to the dead letters as a whole.",
    )


def _gate(options: OrgChartOptions, bounds: GateBounds) -> Gate:
    def shape(doc: Doc) -> Doc:
        return _person(doc, options.custom_fields)

    if options.mode == "upsert":
        return Changes(shape)
    rules = SnapshotRules(
        identity="email",
        max_records=options.max_snapshot_records,
        examine=doubtful_managers,
        refuse=options.doubtful_managers == "refuse",
    )
    return Snapshots(rules, bounds, shape)


def _person(record: Doc, custom_fields: Mapping[str, str]) -> Doc:
    """What is sent of a record: custom fields stand beside the others."""
    custom: Mapping[str, str] = record.get("customFields", {})
    if not custom.keys() <= custom_fields.keys():
        raise Unfit("customFields holds a field that the bridge's setting custom_fields does not list")
    return {name: record[name] for name in Person.__annotations__ if name in record} | dict(custom)


def _definitions(options: OrgChartOptions) -> Mapping[str, Any]:
    """What goes out beside the people; without custom fields nothing, as that leaves those there are."""
    fields = [{"name": name, "type": kind} for name, kind in options.custom_fields.items()]
    return {"custom_fields": fields} if fields else {}


# The API adds the people of a request to the chart or updates them, so a chart sent again changes nothing. It
# has no call that takes a person away, so a null value is refused.
ORG_CHART = SinkStream(
    name="org_chart",
    operation=Operation.PUBLISH_ORG_CHART,
    record=PersonRecord,
    identity=("email",),
    resend_safe=True,
    ordered=True,
    gating=Gating(Person, _gate),
    options=OrgChartOptions,
    beside=_definitions,
)
