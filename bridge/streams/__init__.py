"""Every stream, one small file each: what crosses, nothing about how."""

from bridge.core.polling import SourceStream
from bridge.core.stream import SinkStream
from bridge.streams.apps import APPS
from bridge.streams.audit_events import AUDIT_EVENTS
from bridge.streams.executions import EXECUTIONS
from bridge.streams.org_chart import ORG_CHART
from bridge.streams.spend import SPEND
from bridge.streams.usage import USAGE
from bridge.streams.users import USERS
from bridge.streams.workflows import WORKFLOWS

_SINKS = (USAGE, USERS, SPEND, ORG_CHART)
_SOURCES = (AUDIT_EVENTS, EXECUTIONS, WORKFLOWS, APPS)

SINKS: dict[str, SinkStream] = {stream.name: stream for stream in _SINKS}
SOURCES: dict[str, SourceStream] = {stream.name: stream for stream in _SOURCES}
