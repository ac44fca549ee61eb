"""The configuration in force as YAML: secrets masked, and where each value came from."""

from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from bridge.config.kafka import is_secret_setting
from bridge.config.layers import Loaded
from bridge.config.shape import Path
from bridge.config.tree import printable
from bridge.config.yaml_text import MASK, scalar, without_userinfo

_RAW: Path = ("kafka", "settings")  # these values have no type that says whether they are secret


def show(loaded: Loaded) -> str:
    """Every setting as YAML; a comment ends each line with where it was written, or `default`."""
    lines = list(_lines(loaded, loaded.settings.model_dump(by_alias=True)))
    width = max(len(line) for line, _ in lines if len(line) <= 60)
    return "".join(f"{line:{width}}  # {origin}\n" if origin else f"{line}\n" for line, origin in lines)


def _lines(loaded: Loaded, values: dict[str, Any], path: Path = ()) -> Iterator[tuple[str, str]]:
    """Lines of YAML, each with its origin; the line that opens a section has none."""
    for key, value in values.items():
        here = (*path, key)
        start = f"{'  ' * len(path)}{scalar(key)}:"
        if isinstance(value, dict) and value:
            yield start, ""
            yield from _lines(loaded, value, here)
        else:
            yield f"{start} {_value(value, here)}", _origin(loaded, here)


def _origin(loaded: Loaded, path: Path) -> str:
    place = loaded.places.get(path)
    return "default" if place is None else printable(str(place))


def _value(value: Any, path: Path) -> str:
    if value == {}:
        return "{}"
    if isinstance(value, SecretStr) or (path[:-1] == _RAW and is_secret_setting(path[-1])):
        return scalar(MASK)
    return scalar(without_userinfo(value) if isinstance(value, str) else value)
