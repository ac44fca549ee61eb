"""Points in time as people write them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bridge.core.errors import ConfigError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: milliseconds since 1970, never negative; `assumed_utc` if written without a zone."""

    ms: int
    assumed_utc: bool = False

    def __str__(self) -> str:
        text = (_EPOCH + timedelta(milliseconds=self.ms)).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z").replace(".000Z", "Z")


def moment(text: str, where: str) -> Moment:
    """Reads ISO 8601, date or date and time; without a zone it is UTC, and a date is its first moment.

    A fraction of a millisecond counts as the next whole one: no Kafka timestamp lies between the two. What is
    before 1970 counts as 1970. `where` begins the message if it is no such text.

    Raises:
        ConfigError: it is not.
    """
    try:
        read = datetime.fromisoformat(text.strip())
        assumed = read.tzinfo is None
        since = (read.replace(tzinfo=UTC) if assumed else read.astimezone(UTC)) - _EPOCH
        at = Moment(max(0, -(-since // timedelta(milliseconds=1))), assumed)
        str(at)  # the last half millisecond of the year 9999 is one too many
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{where}: {text!r} is no time; write it like 2026-01-31, 2026-01-31T09:30 or "
            "2026-01-31T09:30:00+01:00"
        ) from None
    return at
