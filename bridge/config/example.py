"""Writes bridge.example.yaml from the model, so that the two cannot disagree."""

import textwrap
from collections.abc import Iterator
from typing import Any

from bridge.config.model import Settings
from bridge.config.shape import AnyKeys, Keys, Named, Path, Shape, shape_of
from bridge.config.yaml_text import scalar

_WIDTH = 100

_HEAD = (
    "Every setting of productiv-bridge with its default. Copy what you want to change and leave out the "
    "rest: what is not given has the value shown here. `productiv-bridge config show` prints what is in "
    "force and where it came from.",
    "Each setting can also be given as an environment variable, which wins over this file: BRIDGE_ and "
    "the path, with two underscores between keys, such as BRIDGE_SINKS__USAGE__TOPIC. A section, or a "
    "mapping with names of your own, can be given whole as a JSON object. For single names in "
    "kafka.settings an underscore stands for a dot: BRIDGE_KAFKA__SETTINGS__SASL_USERNAME is "
    "sasl.username. An empty variable counts as not set; the word null is null.",
    "Paths of files are taken from the directory that the process runs in. Secrets are better kept in "
    "files than here.",
)


def example() -> str:
    """The text of bridge.example.yaml: every key with its description and default."""
    head = [line for paragraph in _HEAD for line in (*_comment(paragraph), "#")][:-1]
    body = _section(shape_of(Settings), Settings().model_dump(by_alias=True), ())
    return "\n".join([*head, *body]) + "\n"


def _section(shape: Keys, values: dict[str, Any], path: Path) -> Iterator[str]:
    for key, below in shape.keys.items():
        here = (*path, key)
        indent = "  " * len(path)
        if not path:
            yield ""
        yield from _comment(below.about, indent)
        if isinstance(below, Keys) and values[key] is not None:
            yield f"{indent}{key}:"
            yield from _section(below, values[key], here)
        else:
            yield f"{indent}{key}: {_default(below, values[key])}"
        if isinstance(below, Keys) and values[key] is None:
            yield from _absent(below, indent)
        if isinstance(below, Named):
            yield from _absent(below.section, indent)


def _absent(shape: Keys, indent: str) -> Iterator[str]:
    """The keys of a section that is not there unless given, as comments."""
    for key, below in shape.keys.items():
        yield from _comment(f"{key}: {below.about}", f"{indent}  ")


def _default(shape: Shape, value: Any) -> str:
    return "{}" if isinstance(shape, AnyKeys | Named) else scalar(value)


def _comment(text: str, indent: str = "") -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(text, _WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False)
