"""Of what kinds the dead letters were, without any word of theirs: for the status page."""

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.core.record import Refused

MAX_KINDS = 50


@dataclass(frozen=True, slots=True)
class RefusedKind:
    """Records refused for one reason: `what` is the declared field, or the status of the API's answer.

    `newest` is the monotonic second at which the last of them was put aside.
    """

    reason: str
    what: str
    records: int
    newest: float


class RefusedKinds:
    """The kinds of one stream, those that were met last."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], RefusedKind] = {}

    def note(self, refused: Iterable[Refused], now: float) -> None:
        """Counts records that were put aside at this monotonic second."""
        for one in refused:
            key = (one.reason, one.field or (f"HTTP {one.status}" if one.status else ""))
            before = self._kinds.pop(key, None)
            self._kinds[key] = RefusedKind(*key, 1 + (before.records if before else 0), now)
        while len(self._kinds) > MAX_KINDS:
            del self._kinds[next(iter(self._kinds))]

    @property
    def newest(self) -> list[RefusedKind]:
        """The kinds, the newest first."""
        return list(reversed(self._kinds.values()))
