"""The entries of a source's cursor, whatever version wrote them, and the digests that stand in them."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TypeVar

from bridge.core.errors import BridgeError
from bridge.core.json_text import json_text
from bridge.core.polling import Cursor, Json

T = TypeVar("T")

FORMAT = 1


def entry(cursor: Cursor, name: str) -> Json | None:
    """The entry of this name, None if there is none.

    Raises:
        BridgeError: a newer version wrote it, in a format that is not known here.
    """
    found = cursor.get(name)
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
