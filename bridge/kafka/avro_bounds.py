"""What a writer's schema may be, so that a value takes time and memory in proportion to its bytes."""

from collections.abc import Iterable
from typing import Any

from bridge.core.errors import SchemaError

MAX_DEPTH = 100
"""Types within types. The compiled reader calls itself for each, and does not see the end of its stack."""


def any_recursive(schemas: Iterable[Any]) -> bool:
    """Whether a type of these schemas holds itself, so that only a value has a depth.

    They are as fastavro parsed them, each behind those that it refers to.

    Raises:
        SchemaError: a value could take more steps than it has bytes, or be nested deeper than allowed.
    """
    walk = _Walk()
    for schema in schemas:
        walk.depth(schema, marked=True)  # by itself it may well be a type that takes no bytes
    return walk.recursive


class _Walk:
    def __init__(self) -> None:
        self.recursive = False
        self._depths: dict[str, int | None] = {}  # by name, None within the type itself
        self._empty = {"null"}  # the types that take no bytes, by name

    def depth(self, schema: Any, marked: bool = False) -> int:
        """How many types stand within each other, with it; `marked`: a byte stands before each value."""
        if isinstance(schema, list):
            return self._nested(schema, marked=True)
        if isinstance(schema, dict):
            kind = schema["type"]
            if not isinstance(kind, str):
                return self.depth(kind, marked)
            if "name" in schema:
                return self._define(schema["name"], kind, schema, marked)
            if kind == "array":
                return self._nested([schema["items"]])
            if kind == "map":
                return self._nested([schema["values"]], marked=True)
            schema = kind
        self._check(schema, marked)
        depth = self._depths.get(schema, 1)
        self.recursive |= depth is None
        return depth or 1

    def _define(self, name: str, kind: str, schema: Any, marked: bool) -> int:
        parts = [field["type"] for field in schema.get("fields", ())]
        if (kind in ("record", "error") and not parts) or (kind == "fixed" and schema["size"] <= 0):
            self._empty.add(name)
        self._check(name, marked)
        self._depths[name] = None
        self._depths[name] = depth = self._nested(parts)
        return depth

    def _nested(self, parts: list[Any], marked: bool = False) -> int:
        depth = 1 + max((self.depth(part, marked) for part in parts), default=0)
        if depth > MAX_DEPTH:
            raise SchemaError(f"the writer's schema is nested more than {MAX_DEPTH} types deep")
        return depth

    def _check(self, name: str, marked: bool) -> None:
        # Ten bytes say that an array has 10^18 items. In a union and in a map something stands before each.
        if name in self._empty and not marked:
            raise SchemaError(
                f"the writer's schema has a type that takes no bytes ({name}) outside of a union"
            )
