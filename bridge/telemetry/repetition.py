"""Holds back log lines that would come again and again while something lasts."""

import re
from collections import OrderedDict
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, WrappedLogger

REPEATING = frozenset(
    {
        "batch_not_accepted",
        "commit_failed",
        "commit_unanswered",
        "committed_offsets_not_read",
        "consumer_error",
        "cursor_not_read",
        "cursor_not_written",
        "dead_letters_not_written",
        "in_doubt_not_read",
        "journal_not_read",
        "journal_not_written",
        "kafka_settings_not_read",
        "no_access_token",
        "parking_not_read",
        "parking_not_trimmed",
        "parking_not_written",
        "reconcile_batch_not_accepted",
        "resume_not_read",
        "round_failed",
        "schema_registry_unavailable",
        "status_failed",
    }
)
"""Events that come with each try. All others tell what happens once, and each of those is written."""

# What librdkafka says of a connection, up to the name of the client that it is about.
_FAILING = re.compile(r"FAIL \[[^]]*\]")

# Streams and topics are few, so this is never reached; it bounds what nobody should rely on.
MAX_KINDS = 1000


class Repetition:
    """A processor that lets a repeating event pass once in so many seconds for each stream and outcome.

    What librdkafka says of connections that fail is one, for each client.

    The next that passes says how many were held back, as `held_back`. `clock` gives monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kinds: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        """Passes the event on, or drops it."""
        failing = _FAILING.match(event.get("message", "")) if event["event"] == "librdkafka" else None
        if not self._seconds or not (failing or event["event"] in REPEATING):
            return event
        place = failing[0] if failing else event.get("stream", event.get("topic"))
        kind = (event["event"], place, event.get("outcome", event.get("result")))
        now = self._clock()
        passed, held_back = self._kinds.get(kind, (float("-inf"), 0))
        if now - passed < self._seconds:
            self._kinds[kind] = passed, held_back + 1
            raise structlog.DropEvent
        self._kinds[kind] = now, 0
        self._kinds.move_to_end(kind)
        if len(self._kinds) > MAX_KINDS:
            self._kinds.popitem(last=False)
        return {**event, "held_back": held_back} if held_back else event
