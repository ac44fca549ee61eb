"""Holds decoded records against what their stream declares, and says in words what does not fit."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import FailFast, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from bridge.core.record import Doc
from bridge.kafka.refusal import invalid
from bridge.streams.fields import EPOCH_MILLIS_MAX, EPOCH_MILLIS_MIN

_UNITS = {"seconds": 1e3, "microseconds": 1e-3, "nanoseconds": 1e-6}
# What Python's values are called by people who never saw Python; bool before int, which it is a kind of.
_KINDS = ((bool, "true or false"), ((int, float), "a number"), ((str, bytes), "text"), (list, "a list"))


class Validator:
    """Checks records against a TypedDict with pydantic's constraints; other fields are left out.

    `required` are the fields that a record cannot do without.
    """

    def __init__(self, record: type) -> None:
        # Stops at the first bad record: a chunk of nothing but noise must not build a list of all its errors.
        chunk: Any = Annotated[list[record], FailFast()]  # type: ignore[valid-type]
        self._many: TypeAdapter[list[Doc]] = TypeAdapter(chunk)
        self._one: TypeAdapter[Doc] = TypeAdapter(record)
        schema = self._one.json_schema()
        fields = schema["properties"]
        self.required: list[str] = schema.get("required", [])
        self._optional = len(self.required) < len(fields)
        self._expected: dict[str, str] = {
            name: field.get("description", "") for name, field in fields.items()
        }

    def many(self, records: Sequence[object]) -> list[Doc]:
        """The records with exactly their declared fields.

        Raises:
            Refusal: at least one is not valid; which one and why is for `one` to say.
        """
        try:
            return self._present(self._many.validate_python(records))
        except ValidationError:
            raise invalid("at least one record of the chunk is not valid") from None

    def one(self, record: object) -> Doc:
        """The record with exactly its declared fields.

        Raises:
            Refusal: it is not valid; the detail names every field that is wrong and what would be right.
        """
        try:
            return self._present([self._one.validate_python(record)])[0]
        except ValidationError as error:
            errors = error.errors(include_url=False)
            field = next((str(each["loc"][0]) for each in errors if each["loc"]), "")
            raise invalid("; ".join(_sentence(each, self._expected) for each in errors), field) from None

    def _present(self, docs: list[Doc]) -> list[Doc]:
        """The documents without the optional fields that are null: to the API, null is not absent."""
        if not self._optional:
            return docs
        return [{name: value for name, value in doc.items() if value is not None} for doc in docs]


def _sentence(error: ErrorDetails, expected: Mapping[str, str]) -> str:
    """What is wrong with one field; shows numbers only, as text may be about people."""
    if not error["loc"]:
        return f"the record is {_kind(error['input'])}, not an object with fields"
    # Deeper parts of the place can be keys that came with the record, so only the declared field is named.
    name = str(error["loc"][0])
    wanted = f"; send {expected[name]}" if expected.get(name) else ""
    return f"{name} {_wrong(error)}{wanted}"


def _wrong(error: ErrorDetails) -> str:
    value, limits = error["input"], error.get("ctx", {})
    match error["type"]:
        case "missing":
            return "is missing"
        case "greater_than_equal" if limits["ge"] == EPOCH_MILLIS_MIN:
            return f"{value} {_unit(value)}"
        case "less_than_equal" if limits["le"] == EPOCH_MILLIS_MAX:
            return f"{value} {_unit(value)}"
        case "string_too_long":
            return f"has {len(value)} characters where {limits['max_length']} are allowed"
        case "string_too_short" if not value:
            return "is empty"
        case "string_unicode":
            return "is not UTF-8 text"
        case "string_pattern_mismatch":
            return "does not have the right form"
        case "int_type" if isinstance(value, float):
            return f"{value!r} is not a whole number"
        case kind if kind.endswith("_type"):
            return f"is {_kind(value)}"
    return f"{value} is not allowed" if isinstance(value, int | float) else "is not allowed"


def _unit(value: int) -> str:
    for unit, factor in _UNITS.items():
        if EPOCH_MILLIS_MIN <= value * factor <= EPOCH_MILLIS_MAX:
            return f"looks like {unit}"
    return "is not a time between 1973 and 2200"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return next((name for kinds, name in _KINDS if isinstance(value, kinds)), "an object")
