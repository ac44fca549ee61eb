"""Executions of provisioning workflows, each change of which goes out, and the users that they affect."""

from pydantic import Field

from bridge.core import by_time, transitions
from bridge.core.looking import Questions
from bridge.core.polling import Cursor, Round, SourceStream
from bridge.core.shape import MOMENT, TEXT, WHOLE, Object
from bridge.core.sighting import Kind
from bridge.core.stream import Operation
from bridge.streams.by_time import ByTimeOptions, OverlapMinutes

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
    "completed, complete, done, finished, succeeded, success, successful, skipped, failed, failure, error, "
    "errored, timed_out, timeout, expired, rejected, cancelled, canceled, aborted, terminated"
)


class ExecutionsOptions(ByTimeOptions):
    """Settings of this stream alone."""

    overlap_minutes: OverlapMinutes = 60
    ended_statuses: str | None = Field(
        default=None,
        description="Statuses, with commas between them and in whatever case, of executions that have come "
        "to their end and are not asked for any more. One with an end time has ended, whatever its status. "
        f"null = {_ENDED}.",
    )


def _poll(options: ExecutionsOptions, cursor: Cursor, now_ms: int) -> Round:
    statuses = _ENDED if options.ended_statuses is None else options.ended_statuses
    ended = frozenset(status.strip().casefold() for status in statuses.split(","))
    return transitions.poll(_KIND, _QUESTIONS, options.bounds(), ended, cursor, now_ms)


EXECUTIONS = SourceStream(
    name="executions",
    operation=Operation.LIST_EXECUTIONS,
    outputs={"executions": _EXECUTION, "execution_users": _USER},
    options=ExecutionsOptions,
    poll=_poll,
    interval_seconds=300.0,
    position=by_time.position,
    moved=by_time.moved,
)
