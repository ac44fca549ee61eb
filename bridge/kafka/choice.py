"""Which of the dead letters somebody means."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bridge.core.errors import ConfigError
from bridge.kafka.contents import Contents
from bridge.kafka.letters import DeadLetterBox, Letter, OnProgress
from bridge.kafka.offset_range import OffsetRange

_PLACE = re.compile(r"([0-9]{1,9}):([0-9]{1,18})(?:-([0-9]{1,18}))?")


@dataclass(frozen=True, slots=True)
class Choice:
    """Letters of all these kinds at once; where nothing is said, all are meant.

    `reasons` are short codes, `apps` names or app ids, `begin_ms` and `end_ms` times of putting aside in
    milliseconds since 1970, the second not included, `places` offsets of the dead-letter topic.
    """

    reasons: frozenset[str] = frozenset()
    apps: frozenset[str] = frozenset()
    begin_ms: int | None = None
    end_ms: int | None = None
    places: tuple[OffsetRange, ...] = ()

    def ranges(self, box: DeadLetterBox) -> list[OffsetRange]:
        """What is to be read.

        Raises:
            BridgeError: as for `DeadLetterBox.ranges`.
        """
        return box.ranges(self.begin_ms, self.end_ms, self.places)

    def letters(
        self, box: DeadLetterBox, contents: Contents, ranges: Iterable[OffsetRange], on_progress: OnProgress
    ) -> Iterator[Letter]:
        """The letters in these ranges that are meant, whatever was decided about them.

        Raises:
            BridgeError: as for `DeadLetterBox.read`.
        """
        for letter in box.read(ranges, on_progress):
            if self.reasons and letter.reason not in self.reasons:
                continue
            if self.apps and not contents.is_about(letter.message, self.apps):
                continue
            yield letter


def place(text: str) -> OffsetRange:
    """The offsets that `partition:offset` or `partition:first-last` means.

    Raises:
        ConfigError: it is neither.
    """
    found = _PLACE.fullmatch(text)
    first, last = (int(found[2]), int(found[3] or found[2])) if found else (1, 0)
    if found is None or first > last:
        raise ConfigError(f"--offset: {text!r} is no place; write it like 0:17 or 0:17-42")
    return OffsetRange(int(found[1]), first, last + 1)
