"""Chance that depends on nothing but what it is asked about."""

from hashlib import blake2b
from struct import Struct
from typing import TypeVar

_EIGHT = Struct("<8I")
_RANGE = 2.0**32
_Option = TypeVar("_Option")


def chances(*about: object) -> list[float]:
    """Eight numbers from 0 to below 1: always the same ones for the same question, whenever it is asked."""
    digest = blake2b(repr(about).encode(), digest_size=_EIGHT.size).digest()
    return [number / _RANGE for number in _EIGHT.unpack(digest)]


def pick(options: tuple[_Option, ...], chance: float) -> _Option:
    """The option that a number from 0 to below 1 falls on."""
    return options[int(chance * len(options))]
