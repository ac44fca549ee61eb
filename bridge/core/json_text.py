"""JSON with exact decimal numbers: money must not pass through a binary float on its way."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import orjson

MAX_PLAIN_DIGITS = 64
"""Numbers with zeros beyond this many places before or after the point keep their exponent."""


def json_text(document: object, *, sort_keys: bool = False) -> bytes:
    """The document as JSON; a `Decimal` becomes the number it is, to the last digit.

    With `sort_keys` equal documents become equal texts, in whatever order their fields came.

    Raises:
        TypeError: it holds what JSON cannot say, an amount of NaN or infinity among it.
    """
    return orjson.dumps(document, default=_number, option=orjson.OPT_SORT_KEYS if sort_keys else None)


def _number(value: object) -> orjson.Fragment:
    """A decimal as a JSON number, written without an exponent.

    Only where that would be a long row of zeros (1E+1000000 has a million) the exponent stays: it is JSON all
    the same, and a few bytes on the topic must not become megabytes in a request.
    """
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError("neither JSON nor a decimal number")
    exponent = value.as_tuple().exponent
    plain = abs(value.adjusted()) <= MAX_PLAIN_DIGITS and abs(int(exponent)) <= MAX_PLAIN_DIGITS
    return orjson.Fragment(format(value, "f") if plain else str(value))


def exact_json(text: bytes) -> Any:
    """Reads JSON with its fractions as `Decimal`, every digit of them; several times slower than orjson.

    Raises:
        ValueError: it is not JSON in UTF-8; `NaN` and `Infinity` are not.
    """
    try:
        return json.loads(text.decode(), parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except InvalidOperation:
        raise ValueError("a number in it has an exponent beyond all bounds") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
