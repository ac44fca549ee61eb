"""Reads the header `Retry-After`, which comes as seconds or as a date (RFC 9110, 10.2.3)."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?")


def retry_after(value: str | None, *, wall: float, cap: float) -> float | None:
    """The wait in seconds that a header value asks for, at most `cap`; `wall` is seconds since 1970.

    None for no header, for one that makes no sense, and for a wait of zero or a date gone by: "at once" from
    a server that just refused is no wait to rely on, so the caller's own backoff decides.
    """
    if value is None:
        return None
    text = value.strip()
    seconds = float(text) if _SECONDS.fullmatch(text) else _seconds_until(text, wall)
    return min(seconds, cap) if seconds is not None and seconds > 0 else None


def _seconds_until(date: str, wall: float) -> float | None:
    try:
        then = parsedate_to_datetime(date)
        # HTTP dates are in GMT by definition, also where the zone is left out.
        return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - wall
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
