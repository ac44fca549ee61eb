"""How the API answers in a cell: which faults of the sandbox make each answer, and what may come of it."""

from dataclasses import dataclass
from typing import Any

from tests.matrix.cells import Answer

Fault = dict[str, Any]

WRITES = (
    "publish_usage_events",
    "publish_provisioned_users",
    "delete_provisioned_users",
    "publish_spend_data",
    "publish_org_chart",
)
READ_SECONDS = 3.0
"""The read timeout of the bridges here; 30 s by default. A stall lasts twice as long as the bridge waits."""
LONGEST_BACKOFF = 0.4
MINUTE = 3.0
"""What stands for a minute of 401: more than seven times the longest wait between two tries."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the sandbox does for an answer.

    `faults` are switched on for the apps concerned, for `seconds` at least, and off again. With `poison` they
    are about marked records, which are refused for good; with `may_bury` the bridge may take the answer for a
    refusal of any record. With `doubtful` it cannot know what became of a request. With `off` nobody listens.
    """

    faults: tuple[Fault, ...] = ()
    seconds: float = 0.5
    doubtful: bool = False
    poison: bool = False
    may_bury: bool = False
    off: bool = False


def _status(status: int, **more: Any) -> Fault:
    return {"kind": "status", "status": status, **more}


def _at_times(*faults: Fault) -> tuple[Fault, ...]:
    return tuple({**fault, "share": 0.4} for fault in faults)


def always_one_of(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """The same faults, where they strike at times, so that one of them strikes each call."""
    left = len(faults)
    return tuple(
        {**fault, "share": 1 / (left - number)} if "share" in fault else fault
        for number, fault in enumerate(faults)
    )


def _poison(status: int, per_item: bool) -> Behaviour:
    return Behaviour(({"kind": "poison", "status": status, "per_item": per_item},), poison=True)


def _outage(*faults: Fault, seconds: float = 0.5) -> Behaviour:
    return Behaviour(faults, seconds)


def _in_doubt(*faults: Fault, seconds: float = 0.5) -> Behaviour:
    return Behaviour(_at_times(*faults), seconds, doubtful=True)


TABLE: dict[Answer, Behaviour] = {
    Answer.OK: Behaviour(),
    Answer.ITEMS: _poison(400, per_item=True),
    Answer.NO_ITEMS: _poison(400, per_item=False),
    Answer.TOO_LARGE: _poison(413, per_item=False),
    Answer.DENIED_ONCE: _outage(
        *({"kind": "token_expired", "times": 1, "operation": each} for each in WRITES)
    ),
    Answer.DENIED: _outage(_status(401), seconds=MINUTE),
    Answer.FORBIDDEN: _outage(_status(403)),
    Answer.THROTTLED_SECONDS: _outage(_status(429, retry_after=1)),
    Answer.THROTTLED_DATE: _outage(_status(429, retry_after=2, retry_after_form="date")),
    Answer.THROTTLED: _outage(_status(429)),
    Answer.UNAVAILABLE: _outage(_status(503)),
    Answer.REFUSED: Behaviour(doubtful=True, off=True),
    Answer.NO_TOKEN: _outage(
        _status(503, operation="get_access_token"), {"kind": "token_revoked", "times": 1}
    ),
    Answer.ERRORS: _in_doubt(_status(500), _status(500, when="after")),
    Answer.CUT: _in_doubt({"kind": "reset", "when": "during"}, {"kind": "cut"}),
    Answer.LOST: _in_doubt({"kind": "reset", "when": "after"}, {"kind": "close", "when": "after"}),
    Answer.STALLED: _in_doubt(
        {"kind": "stall", "seconds": 2 * READ_SECONDS},
        {"kind": "stall", "seconds": 2 * READ_SECONDS, "when": "after"},
        seconds=READ_SECONDS,
    ),
    # Said of a single record, it is a refusal of that record: halving ends there.
    Answer.NO_SUCCESS: Behaviour(_at_times({"kind": "success_false"}), doubtful=True, may_bury=True),
    Answer.MALFORMED: _in_doubt({"kind": "malformed_json"}),
}
