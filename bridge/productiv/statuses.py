"""The one table that turns an answer of the API into an outcome."""

from dataclasses import dataclass, replace
from http import HTTPStatus

import orjson

from bridge.core.outcome import Accepted, Denied, InDoubt, Outcome, Rejected, Throttled, Unavailable
from bridge.core.redact import REDACTED, excerpt
from bridge.productiv.item_errors import item_errors
from bridge.productiv.retry_after import retry_after

# Faults of the address, the method or the headers, which every part of a split batch would have again.
_NOT_THE_RECORDS = frozenset({404, 405, 406, 410, 411, 414, 415, 417, 421, 426, 428, 431, 451})

# Of a secret in a body: one of a single character must not make a body ten times as long. What is shown comes
# from beginnings of at most 16 KiB.
_MOST_COPIES = 100_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `complete` is False where the body was cut short, by the network or by our limit."""

    status: int
    body: bytes = b""
    complete: bool = True
    retry_after: str | None = None
    location: str | None = None

    def without(self, secret: str) -> "Answer":
        """The same with every copy of a secret taken out of what may be shown."""
        if not secret:
            return self  # nothing to hide, and every place between two characters holds nothing
        body = self.body.replace(secret.encode(), REDACTED.encode(), _MOST_COPIES)
        location = self.location.replace(secret, REDACTED) if self.location else None
        return replace(self, body=body, location=location)


def outcome_of(answer: Answer, *, records: int, wall: float, retry_after_cap: float) -> Outcome:
    """What the answer to a batch of `records` means; `wall` is seconds since 1970, the cap is in seconds.

    Outside the 2xx the status alone decides, so a body cut short costs only what it would have explained.
    """
    status, said = answer.status, _said(answer)
    wait = retry_after(answer.retry_after, wall=wall, cap=retry_after_cap)
    if 200 <= status < 300:
        return _of_success(answer)
    if status == 429 or (status == 503 and wait is not None):
        return Throttled(status, wait)
    if status in (408, 425, 503):
        # 408: the server never had the whole request (RFC 9110, 15.5.9). 425: it was unwilling to take it yet
        # (RFC 8470, 5.2). 503: it is not there to take any.
        return Unavailable(said, status)
    if 300 <= status < 400:
        return Denied(status, _redirected(answer))
    if status in (401, 402, 403, 407):
        # About who we are or what we pay for, to the API or to a proxy, and never about the records.
        return Denied(status, f"{said}: {excerpt(answer.body)}" if answer.body else said)
    if 400 <= status < 500:
        return _of_refusal(answer, records)
    return InDoubt(f"{said}, which leaves open whether it took the batch", status)


def _said(answer: Answer) -> str:
    try:
        return f"the API answered {answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return f"the API answered {answer.status}"


def _of_success(answer: Answer) -> Outcome:
    said = _said(answer)
    if not answer.complete:
        return InDoubt(f"{said}, but its body was cut short", answer.status)
    if not answer.body.strip():
        return Accepted()
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        # A sign-in page of a proxy looks like this, and it has not taken any record.
        return InDoubt(f"{said}, but its body is not JSON: {excerpt(answer.body, 100)}", answer.status)
    # A boolean by the vendor's pages; read so that "true" passes, and null, "false" or "partial" do not.
    success = body.get("success", True) if isinstance(body, dict) else True
    if success is True or (isinstance(success, str) and success.lower() == "true"):
        return Accepted()
    return Rejected(answer.status, f"{said}, but the body does not say success", excerpt=excerpt(answer.body))


def _redirected(answer: Answer) -> str:
    # Followed, a redirect would carry the records and perhaps the token to where nobody sent them. It is
    # an address to correct and not a fault of any record, so it must not fill the dead letters.
    where = f" to {excerpt(answer.location, 200)}" if answer.location else ""
    return f"{_said(answer)}{where}; redirects are not followed: correct the API's address"


def _of_refusal(answer: Answer, records: int) -> Rejected:
    whole = answer.status in _NOT_THE_RECORDS
    items = () if whole or answer.status == 413 else item_errors(_json(answer.body), records)
    return Rejected(
        status=answer.status,
        reason=_said(answer),
        items=items,
        whole=whole,
        too_large=answer.status == 413,
        excerpt=excerpt(answer.body),
    )


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
