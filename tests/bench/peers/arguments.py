"""What every peer is told on its command line."""

import sys
from dataclasses import dataclass

READY = "ready"


@dataclass(frozen=True, slots=True)
class Arguments:
    """Where to read and to post, and how many records to hold at most before posting."""

    bootstrap: str
    topic: str
    format: str
    api_url: str
    group: str
    gather: int


def arguments() -> Arguments:
    """Those of this process, which is ready now: its imports are over."""
    bootstrap, topic, format, api_url, group, gather = sys.argv[1:]
    print(READY, flush=True)
    return Arguments(bootstrap, topic, format, api_url, group, int(gather))
