"""Reads environment variables into a tree: BRIDGE_KAFKA__GROUP_PREFIX stands for kafka.group_prefix.

The part after BRIDGE_ is the path with two underscores between keys, upper or lower case. A section, or a
mapping with names of one's own, can be given whole as a JSON object. Below kafka.settings one underscore
stands for a dot: BRIDGE_KAFKA__SETTINGS__SASL_USERNAME is sasl.username. An empty variable counts as not set;
the word null is null.
"""

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any

from bridge.config.shape import AnyKeys, Keys, Named, Path, Shape, Value, at, key_paths
from bridge.config.tree import Entry, Place, Problem, Tree

PREFIX = "BRIDGE_"
FILE_VARIABLE = "BRIDGE_CONFIG"

# Kubernetes sets these for every Service in the namespace, so a Service named "bridge" must not stop a pod.
_SERVICE_LINK = re.compile(r"BRIDGE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)\w*)?)")


def read_environment(environ: Mapping[str, str], shape: Shape, problems: list[Problem]) -> Tree:
    """The variables that start with BRIDGE_ as a tree; what cannot be read is added to `problems`."""
    tree: Tree = {}
    for variable in sorted(environ):
        text = environ[variable]
        if not _is_ours(variable) or text == "":
            continue
        path = _path(variable, shape)
        if path is None:
            problems.append(_unknown(variable, environ, shape))
        elif (entry := _entry(text, _place(variable), path, shape, problems)) is not None:
            _insert(tree, path, entry, problems)
    return tree


def variable_of(path: Path, shape: Shape) -> str:
    """The name of the environment variable for a setting, or for the mapping that a free name stands in."""
    named = [key for end, key in enumerate(path) if not isinstance(at(shape, path[:end]), AnyKeys)]
    return PREFIX + "__".join(named).upper()


def _is_ours(variable: str) -> bool:
    if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
        return False
    return "__" in variable or not _SERVICE_LINK.fullmatch(variable)


def _path(variable: str, shape: Shape) -> Path | None:
    """The setting a variable stands for; None if there is none."""
    path: Path = ()
    segments = variable.removeprefix(PREFIX).split("__")
    for index, segment in enumerate(segments):
        match at(shape, path):
            case Keys(keys=keys) if segment.lower() in keys:
                path = (*path, segment.lower())
            case AnyKeys(dotted=True):
                return (*path, "_".join(segments[index:]).lower().replace("_", "."))
            case AnyKeys():
                return (*path, "__".join(segments[index:]))
            case Named():
                path = (*path, segment)
            case _:
                return None
    return path


def _unknown(variable: str, environ: Mapping[str, str], shape: Shape) -> Problem:
    place = _place(variable)
    paths = {variable_of(path, shape): path for path in key_paths(shape)}
    near = difflib.get_close_matches(variable.upper(), [*paths, FILE_VARIABLE], n=1, cutoff=0.8)
    if not near:
        return Problem(
            place, "", "there is no such setting; `productiv-bridge config example` lists them all"
        )
    about = () if near[0] in environ else paths.get(near[0], ())
    return Problem(place, "", f"there is no such setting; did you mean {near[0]}?", about)


def _place(variable: str) -> Place:
    return Place(f"environment variable {variable}")


def _entry(text: str, place: Place, path: Path, shape: Shape, problems: list[Problem]) -> Entry | None:
    match at(shape, path):
        case Value(nullable=True) | Keys(nullable=True) if text.lower() == "null":
            return Entry(None, place)
        case Value():
            return Entry(text, place)
    try:
        parsed = json.loads(
            text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=str
        )
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, _Pairs):
        problems.append(
            Problem(place, ".".join(path), 'a JSON object is needed here, such as {"name": "value"}', path)
        )
        return None
    return Entry(_from_json(parsed, place, path, problems), place)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object before its keys are checked for doubles."""


def _from_json(pairs: _Pairs, place: Place, path: Path, problems: list[Problem]) -> Tree:
    tree: Tree = {}
    for key, value in pairs:
        here = (*path, key)
        if key in tree:
            problems.append(Problem(place, ".".join(here), "this key is given twice; remove one"))
        elif isinstance(value, _Pairs):
            tree[key] = Entry(_from_json(value, place, here, problems), place)
        elif isinstance(value, list):
            problems.append(
                Problem(place, ".".join(here), "no setting is a list; see bridge.example.yaml", here)
            )
        else:
            tree[key] = Entry(str(value).lower() if isinstance(value, bool) else value, place)
    return tree


def _insert(tree: Tree, path: Path, entry: Entry, problems: list[Problem], above: Path = ()) -> None:
    """Puts an entry at its path; two variables may fill one section, but not give one value."""
    key, *rest = path
    here = (*above, key)
    there = tree.setdefault(key, Entry({}, entry.place) if rest else entry)
    if there is entry:
        return
    match there.value, entry.value:
        case dict(section), _ if rest:
            _insert(section, tuple(rest), entry, problems, here)
        case dict(section), dict(given):
            for name, below in given.items():
                _insert(section, (name,), below, problems, here)
        case _:
            other = str(there.place).removeprefix("environment variable ")
            what = f"{other} gives this too; remove one of the two"
            problems.append(Problem(entry.place, ".".join(here), what))
