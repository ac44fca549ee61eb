"""Gives the schema of the chart's values the comments above them: python -m tests.helm.described"""

import json
import re
from typing import Any

from tests.helm.chart import CHART

VALUES, SCHEMA = CHART / "values.yaml", CHART / "values.schema.json"

Path = tuple[str, ...]


def comments() -> dict[Path, str]:
    """What the comments in values.yaml say, by the key that they stand above."""
    told: dict[Path, str] = {}
    path: list[tuple[int, str]] = []
    said: list[str] = []
    for line in VALUES.read_text().splitlines():
        if comment := re.match(r"\s*# (.*)", line):
            said.append(comment[1])
        elif key := re.match(r"( *)([\w-]+):", line):
            path = [(indent, name) for indent, name in path if indent < len(key[1])]
            path.append((len(key[1]), key[2]))
            told[tuple(name for _, name in path)] = " ".join(said)
            said = []
        else:
            said = []
    return told


def schema_of(schema: dict[str, Any], path: Path) -> dict[str, Any]:
    """The part of the schema that a key goes by.

    Raises:
        KeyError: the schema has no such key.
    """
    part = schema
    for key in path:
        part = _resolved(schema, part)
        part = part["properties"][key] if key in part.get("properties", {}) else part["additionalProperties"]
    return part


def chosen_by_users(schema: dict[str, Any], path: Path) -> bool:
    """Whether the key is a name of the user's choice, so that the schema knows it as one of many only."""
    return path[-1] not in _resolved(schema, schema_of(schema, path[:-1])).get("properties", {})


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the descriptions from values.yaml."""
    told: dict[str, Any] = json.loads(json.dumps(schema))
    for path, comment in comments().items():
        if comment and not chosen_by_users(told, path):
            schema_of(told, path)["description"] = comment
    return told


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: dict[str, Any] = schema["definitions"][part["$ref"].rsplit("/", 1)[1]]
    return found


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(described(json.loads(SCHEMA.read_text())), indent=2) + "\n")
