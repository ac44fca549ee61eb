"""The headers of a message, which may be anybody's."""

from operator import methodcaller
from typing import Any

from confluent_kafka import Message

# A call by `message.headers()` is not always checked for the error that the client left behind: Python leaves
# the check out where code runs often. This one checks.
_headers = methodcaller("headers")


def all_headers(message: Message) -> list[tuple[str, Any]]:
    """The headers in their order; none if a name is not UTF-8, as the client can then read none of them."""
    try:
        headers = _headers(message) or []
    except SystemError:
        # From now on the client would give a list with holes, and who looks into one ends the process.
        message.set_headers([])
        return []
    return list(headers.items() if isinstance(headers, dict) else headers)
