"""Every stream, one small file each: what crosses, nothing about how."""

from bridge.core.polling import SourceStream
from bridge.core.stream import SinkStream
from bridge.streams.org_chart import ORG_CHART
from bridge.streams.spend import SPEND
from bridge.streams.usage import USAGE
from bridge.streams.users import USERS

SINKS: dict[str, SinkStream] = {stream.name: stream for stream in (USAGE, USERS, SPEND, ORG_CHART)}
SOURCES: dict[str, SourceStream] = {}
