"""Provisioning workflows, as they are configured now. A compacted topic; null says gone."""

from pydantic import BaseModel

from bridge.core.listing import Listing
from bridge.core.polling import SourceStream
from bridge.core.shape import TEXT, Object
from bridge.core.stream import Operation
from bridge.streams.fields import MaxVanishedShare

_WORKFLOW = Object({"workflowId": TEXT, "workflowName": TEXT, "applicationId": TEXT, "status": TEXT})
_WORKFLOWS = Listing("workflows", Operation.LIST_WORKFLOWS, "workflowId", _WORKFLOW)


class WorkflowsOptions(BaseModel):
    """Settings of this stream alone."""

    max_vanished_share: MaxVanishedShare = 0.5


WORKFLOWS = SourceStream(
    name="workflows",
    operation=Operation.LIST_WORKFLOWS,
    outputs={"workflows": _WORKFLOW},
    options=WorkflowsOptions,
    poll=_WORKFLOWS.poll,
    interval_seconds=900.0,
)
