"""Numbers and times as people read them."""

import time

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def count(number: float | None) -> str:
    """Grouped by thousands; a word where nobody knows."""
    return "unknown" if number is None else f"{number:,.0f}"


def per_second(rate: float) -> str:
    """A rate, with a decimal while it is small."""
    return f"{rate:,.1f}/s" if 0 < rate < 10 else f"{rate:,.0f}/s"


def duration(seconds: float | None) -> str:
    """Two units at most: `45 s`, `3 min`, `2 h 5 min`, `4 d 1 h`; nothing for None."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def clock(wall: float) -> str:
    """The time of day, in UTC."""
    return time.strftime("%H:%M:%S UTC", time.gmtime(wall))


def moment(wall: float) -> str:
    """Day and time, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(wall))
