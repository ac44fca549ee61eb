"""What a user wrote, still as text, each piece with the place it was written at."""

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from bridge.config.shape import AnyKeys, Keys, Named, Path, Shape, Value, at, key_paths


class Place(NamedTuple):
    """Where something was written: a file with a line from 1, or an environment variable (line 0)."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Entry:
    """One value as text, a null, or a mapping of further entries."""

    value: "str | dict[str, Entry] | None"
    place: Place


Tree = dict[str, Entry]


class Problem(NamedTuple):
    """One thing that is wrong: where, at which key, what, and what to do about it. Never holds a secret.

    `about` are the settings that are not known because of it, so that rules on them are not judged.
    """

    place: Place
    key: str
    what: str
    about: Path = ()

    def __str__(self) -> str:
        return ": ".join(printable(part) for part in (str(self.place), self.key, self.what) if part)


def printable(text: str) -> str:
    """The text on one line and fit for a terminal, whatever was in the file."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def sound(tree: Tree, root: Shape, problems: list[Problem], path: Path = ()) -> Tree:
    """The tree without what cannot stand where it stands; adds a problem for each piece left out.

    `path` is where the tree hangs in the settings whose shape is `root`.
    """
    kept: Tree = {}
    for key, entry in tree.items():
        here = (*path, key)
        shape = at(root, here)
        if shape is None:
            problems.append(_unknown(here, entry.place, root, tree))
        elif (what := _misfit(entry, shape)) is not None:
            problems.append(Problem(entry.place, ".".join(here), what, here))
        elif isinstance(entry.value, dict):
            kept[key] = Entry(sound(entry.value, root, problems, here), entry.place)
        elif entry.value is not None or _nullable(shape):
            kept[key] = entry
        elif isinstance(at(root, path), Named):
            kept[key] = Entry({}, entry.place)  # a name alone ("CRM:" and nothing below) is one all the same
        # What is left is an empty section ("kafka:" and nothing below), which means its defaults.
    return kept


def _nullable(shape: Shape) -> bool:
    return isinstance(shape, Value | Keys) and shape.nullable


def _misfit(entry: Entry, shape: Shape) -> str | None:
    """What is wrong with the kind of a value, or None."""
    match shape, entry.value:
        case Value(), dict():
            return "a single value is needed here, not further keys"
        case Value(nullable=False), None:
            return "this has no value; give one or remove the key"
        case Keys(keys=keys), str():
            return f"keys are needed here, not a single value: {', '.join(keys)}"
        case AnyKeys(), str():
            return "names with a value each are needed here, not a single value"
        case Named(), str():
            return "names with keys below each are needed here, not a single value"
        case _:
            return None


def _unknown(path: Path, place: Place, root: Shape, given: Collection[str]) -> Problem:
    """Says where a key of that name belongs, else names the nearest key beside it, else all keys beside it.

    `given` are the keys written beside it; one that is there already is hardly the one that was meant.
    """
    *section, key = path
    name = ".".join(path)
    if homes := _homes(path, root):
        return Problem(place, name, f"unknown key here; did you mean {' or '.join(homes)}?")
    parent = at(root, tuple(section))
    beside = list(parent.keys) if isinstance(parent, Keys) else []
    for candidates in ([other for other in beside if other not in given], beside):
        if near := difflib.get_close_matches(key.lower(), candidates, n=1):
            about = (*section, near[0]) if near[0] not in given else ()
            return Problem(place, name, f"unknown key; did you mean {near[0]!r}?", about)
    return Problem(place, name, f"unknown key; the keys here are {', '.join(beside)}")


def _homes(path: Path, root: Shape) -> list[str]:
    """At most two settings that have the name exactly, those below the same section first."""
    *section, key = path
    homes = [home for home in key_paths(root) if home[-1] == key]
    below = [home for home in homes if list(home[: len(section)]) == section]
    return [".".join(home) for home in (below or homes)[:2]]


def values(tree: Tree) -> dict[str, Any]:
    """The tree as plain dictionaries, for validation."""
    return {
        key: values(entry.value) if isinstance(entry.value, dict) else entry.value
        for key, entry in tree.items()
    }


def places(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Place]]:
    """Every path in the tree and where it was written."""
    for key, entry in tree.items():
        yield (*path, key), entry.place
        if isinstance(entry.value, dict):
            yield from places(entry.value, (*path, key))
