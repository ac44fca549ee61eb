"""What each fault does to a call that it strikes."""

from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from bridge.sandbox.call import Answer, json_answer
from bridge.sandbox.connection import Dropped, Exchange
from bridge.sandbox.fault_kinds import (
    Close,
    Cut,
    Latency,
    MalformedJson,
    Poison,
    Reset,
    Stall,
    Status,
    SuccessFalse,
    TokenExpired,
    TokenRevoked,
)
from bridge.sandbox.faults import Armed
from bridge.sandbox.tokens import Tokens


class Striker:
    """Lets a fault strike a call. `clock` gives seconds since the epoch, for dates in `Retry-After`."""

    def __init__(self, tokens: Tokens, clock: Callable[[], float]) -> None:
        self._tokens = tokens
        self._clock = clock

    async def strike(
        self, armed: Armed, exchange: Exchange, token: str, good: Answer | None
    ) -> Answer | None:
        """Does what the fault says: returns the answer it puts in place of the right one, or None to go on.

        `good` is the answer to a batch that was taken, None before that.

        Raises:
            Dropped: the call ends here, without a whole answer.
        """
        match armed.fault:
            case Latency(seconds=seconds, jitter=jitter):
                await exchange.wait(seconds + armed.random.uniform(0, jitter))
            case Stall(seconds=None):
                raise Dropped("unanswered")
            case Stall(seconds=float(seconds)):
                await exchange.hold(seconds)
            case Reset():
                raise Dropped("reset")
            case Close():
                raise Dropped("closed")
            case Cut():
                raise Dropped("cut", good)
            case TokenExpired():
                self._tokens.revoke(token)
            case TokenRevoked():
                self._tokens.revoke_all()
            case _:
                return self._replacement(armed)
        return None

    def _replacement(self, armed: Armed) -> Answer | None:
        match armed.fault:
            case Status() as status:
                headers = _retry_after(status, self._clock)
                return json_answer(status.status, {"message": f"sandbox fault {armed.id}"}, headers)
            case SuccessFalse():
                return json_answer(200, {"success": False})
            case MalformedJson():
                return Answer(200, b'{"success": tr', {"content-type": "application/json"})
            case _:
                return None


def poisoned(records: list[Any], poisons: list[Armed]) -> Answer | None:
    """The refusal of a batch in which a poison fault finds its marker, or None."""
    for armed in poisons:
        fault = armed.fault
        if not isinstance(fault, Poison):
            continue
        found = [index for index, record in enumerate(records) if _contains(record, fault.marker)]
        if not found or not armed.fires():
            continue
        if not fault.per_item:
            return json_answer(fault.status, {"message": "the batch contains records that are not valid"})
        message = f"the record contains {fault.marker!r}"
        return json_answer(
            fault.status, {"errors": [{"index": index, "message": message} for index in found]}
        )
    return None


def _contains(record: dict[str, Any], marker: str) -> bool:
    return any(isinstance(value, str) and marker in value for value in record.values())


def _retry_after(status: Status, clock: Callable[[], float]) -> dict[str, str]:
    if status.retry_after is None:
        return {}
    if status.retry_after_form == "seconds":
        return {"retry-after": str(status.retry_after)}
    return {"retry-after": formatdate(clock() + status.retry_after, usegmt=True)}
