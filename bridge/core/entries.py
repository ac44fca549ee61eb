"""The entries of a source's cursor, whatever version wrote them, and the digests that stand in them."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeGuard, TypeVar

from bridge.core.errors import BridgeError
from bridge.core.json_text import json_text
from bridge.core.polling import Cursor, Json

T = TypeVar("T")

FORMAT = 1

_MOMENTS = range(-62_135_596_800_000, 253_402_300_800_000)  # of the years 1 to 9999, which have names


def is_text(value: Any) -> TypeGuard[str]:
    """Whether it is text."""
    return isinstance(value, str)


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether it is a whole number."""
    return type(value) is int


def is_moment(value: Any) -> TypeGuard[int]:
    """Whether it is a time in milliseconds since 1970."""
    return is_whole(value) and value in _MOMENTS


def is_packed(value: Any) -> TypeGuard[str]:
    """Whether it is bytes as text in base64."""
    try:
        return b64decode(value, validate=True) is not None
    except (TypeError, ValueError):
        return False


def check(cursor: Cursor, kinds: Mapping[str, Callable[[Json], bool]]) -> None:
    """Makes sure that a source can work with these entries; `kinds` judge those whose names begin so.

    Raises:
        BridgeError: a newer version wrote one, or something else did.
    """
    for name in cursor:
        known = entry(cursor, name)
        for beginning, fits in kinds.items():
            if known is not None and name.startswith(beginning) and not fits(known):
                raise _foreign(name)


def entry(cursor: Cursor, name: str) -> Json | None:
    """The entry of this name, None if there is none.

    Raises:
        BridgeError: a newer version wrote it, in a format that is not known here, or something else did.
    """
    found = cursor.get(name)
    if found is not None and not is_whole(found.get("format")):
        raise _foreign(name)
    if found is not None and found["format"] > FORMAT:
        raise BridgeError(
            f"the cursor's entry {name!r} has format {found['format']}, and this version reads formats up to "
            f"{FORMAT}; run the newer version that wrote it, or reset the cursor"
        )
    return found


def entries(cursor: Cursor, prefix: str) -> dict[str, Json]:
    """All entries whose names begin so, by name without the prefix; raises as `entry`."""
    names = [name for name in cursor if name.startswith(prefix)]
    found = {name.removeprefix(prefix): entry(cursor, name) for name in names}
    return {name: each for name, each in found.items() if each is not None}


def digest(value: object, size: int = 16) -> bytes:
    """So many bytes that differ if JSON values differ, whatever the order of fields.

    Digests are part of the format: made in another way, all that is remembered would go out again.

    Raises:
        TypeError: the value is nested too deeply.
    """
    return blake2b(json_text(value, sort_keys=True), digest_size=size).digest()


def chunks(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """The items in order, at most so many at a time."""
    return (items[first : first + most] for first in range(0, len(items), most))


def _foreign(name: str) -> BridgeError:
    return BridgeError(
        f"the cursor's entry {name!r} is not as the source writes it, so something else wrote it; write a "
        "message with its key and no value, or use `cursors reset`"
    )
