"""Every stream, one small file each: what crosses, nothing about how."""

from bridge.core.polling import SourceStream
from bridge.core.stream import SinkStream
from bridge.streams.apps import APPS
from bridge.streams.org_chart import ORG_CHART
from bridge.streams.spend import SPEND
from bridge.streams.usage import USAGE
from bridge.streams.users import USERS
from bridge.streams.workflows import WORKFLOWS

SINKS: dict[str, SinkStream] = {stream.name: stream for stream in (USAGE, USERS, SPEND, ORG_CHART)}
SOURCES: dict[str, SourceStream] = {stream.name: stream for stream in (WORKFLOWS, APPS)}
