"""What one API call came to: a closed set of values, each naming what happens next."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Accepted:
    """The API took every record of the batch: settle it."""

    label: ClassVar[str] = "accepted"


@dataclass(frozen=True, slots=True)
class Throttled:
    """The API asked us to slow down (429, or 503 with Retry-After): wait, then send the same again.

    `retry_after` is in seconds, already capped; None where the API named no time. Never counts as a failure.
    """

    label: ClassVar[str] = "throttled"

    status: int
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The request provably changed nothing (connect error, 503): send the same again, for ever."""

    label: ClassVar[str] = "unavailable"

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The request was sent and nobody knows whether the API took it (read timeout, reset, 500, 502, 504)."""

    label: ClassVar[str] = "in_doubt"

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class ItemError:
    """One record that the API named as bad: its position in the batch as sent, from 0, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The API will never take this batch as it is (400, 404, 413, 422).

    `items` names the bad records where the API does. `whole` says that the fault lies with the request's
    address (an unknown app), not with any record, so that splitting would not help. `too_large` says that
    the same records may pass in smaller requests (413). `excerpt` is the start of the answer, redacted.
    """

    label: ClassVar[str] = "rejected"

    status: int
    reason: str
    items: tuple[ItemError, ...] = ()
    whole: bool = False
    too_large: bool = False
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Denied:
    """The credentials were refused, also after one fresh token (401, 403): pause, alert, try again."""

    label: ClassVar[str] = "denied"

    status: int | None
    reason: str


Outcome = Accepted | Throttled | Unavailable | InDoubt | Rejected | Denied


def cautious(outcome: Outcome) -> Outcome:
    """The outcome for what must not be sent twice: a 2xx without success leaves open what was taken."""
    if isinstance(outcome, Rejected) and 200 <= outcome.status < 300:
        return InDoubt(outcome.reason, outcome.status)
    return outcome
