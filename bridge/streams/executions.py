"""Executions of provisioning workflows, each change of which goes out, and the users that they affect."""

from pydantic import AwareDatetime, BaseModel, Field

from bridge.core import transitions
from bridge.core.looking import Questions
from bridge.core.polling import Cursor, Round, SourceStream
from bridge.core.shape import MOMENT, TEXT, WHOLE, Object
from bridge.core.sighting import Kind
from bridge.core.stream import Operation
from bridge.core.windows import SECOND

_MINUTE = 60 * SECOND
_DAY = 24 * 60 * _MINUTE

_EXECUTION = Object(
    {
        "workflowId": TEXT,
        "workflowName": TEXT,
        "applicationId": TEXT,
        "executionId": TEXT,
        "sequence": WHOLE,
        "status": TEXT,
        "startTime": MOMENT,
        "endTime": MOMENT,
        "users": WHOLE,
    }
)
_USER = Object(
    {
        "workflowId": TEXT,
        "executionId": TEXT,
        "sequence": WHOLE,
        "email": TEXT,
        "suggestedOutcome": TEXT,
        "actionedOutcome": TEXT,
    }
)

_KIND = Kind(
    group="workflowId",
    item="executionId",
    parts="users",
    part="email",
    output="executions",
    form=_EXECUTION,
    part_output="execution_users",
    part_form=_USER,
)
_QUESTIONS = Questions(
    groups=Operation.LIST_WORKFLOWS,
    items=Operation.LIST_EXECUTIONS,
    details=Operation.GET_EXECUTION,
    group="workflow",
    item="execution",
    about=("workflowName", "applicationId"),
)

# The API does not say which statuses there are. These are what such services call an end.
_ENDED = (
    "completed,complete,done,finished,succeeded,success,successful,skipped,failed,failure,error,errored,"
    "timed_out,timeout,expired,rejected,cancelled,canceled,aborted,terminated"
)


class ExecutionsOptions(BaseModel):
    """Settings of this stream alone."""

    start: AwareDatetime | None = Field(
        default=None,
        description="Where the first round begins: a time with its zone such as 2026-01-31T00:00:00Z. "
        "null = lookback_days ago.",
    )
    lookback_days: int = Field(
        default=7, ge=0, le=3650, description="How many days back the first round begins, without a start."
    )
    overlap_minutes: int = Field(
        default=60,
        ge=0,
        le=10080,
        description="How late an execution may show up in the list, in minutes: that much is read again in "
        "each round, and only what is new or changed goes out. What comes later is missed. Executions that "
        "are known are followed until they end, however long that takes.",
    )
    max_window_days: int = Field(
        default=30, ge=1, le=3650, description="The longest range that the API answers for, in days."
    )
    ended_statuses: str = Field(
        default=_ENDED,
        description="Statuses, with commas between them and in whatever case, of executions that have come "
        "to their end and are not asked for any more. One with an end time has ended, whatever its status.",
    )


def _poll(options: ExecutionsOptions, cursor: Cursor, now_ms: int) -> Round:
    bounds = transitions.Bounds(
        start=int(options.start.timestamp()) * SECOND if options.start is not None else None,
        lookback=options.lookback_days * _DAY,
        overlap=options.overlap_minutes * _MINUTE,
        window=options.max_window_days * _DAY,
        ended=frozenset(status.strip().casefold() for status in options.ended_statuses.split(",")),
    )
    return transitions.poll(_KIND, _QUESTIONS, bounds, cursor, now_ms)


EXECUTIONS = SourceStream(
    name="executions",
    operation=Operation.LIST_EXECUTIONS,
    outputs={"executions": _EXECUTION, "execution_users": _USER},
    options=ExecutionsOptions,
    poll=_poll,
    interval_seconds=300.0,
    position=transitions.position,
    moved=transitions.moved,
)
