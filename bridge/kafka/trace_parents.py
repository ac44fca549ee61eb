"""Which traces the records of a batch belong to, by their headers."""

from collections.abc import Sequence
from typing import Any

from bridge.kafka.headers import all_headers

HEADER = "traceparent"  # W3C Trace Context

MAX_LOOKED, MAX_PARENTS = 256, 32
"""Of a batch so many records are looked at, as reading headers takes some time, and so many traces named."""

_TRACE = slice(3, 35)  # of `00-<trace id of 32 digits>-<span id>-<flags>`


def trace_parents(messages: Sequence[Any]) -> list[str]:
    """The headers of the first records, each trace once."""
    found: dict[str, str] = {}
    for message in messages[:MAX_LOOKED]:
        for name, value in all_headers(message):
            if name == HEADER and isinstance(value, bytes):
                parent = value[:64].decode("ascii", "replace")
                found.setdefault(parent[_TRACE], parent)
        if len(found) >= MAX_PARENTS:
            break
    return list(found.values())[:MAX_PARENTS]
