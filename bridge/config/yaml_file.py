"""Reads the YAML file into a tree with the line of every key."""

import re
from pathlib import Path
from typing import Any

import yaml

from bridge.config.shape import Path as KeyPath
from bridge.config.tree import Entry, Place, Problem, Tree

# 256 KiB is a hundred times the longest sensible file, and read in about two seconds.
MAX_FILE_BYTES = 262_144

_TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "timestamp", "value", "merge")
}
_SYNTAX = re.compile(r"<[a-z ]+>|[^\w\s]|\\t")  # what the parser quotes of YAML itself, and a tab
_NULL = "tag:yaml.org,2002:null"


class _Anchored(Exception):
    """The file names a piece of itself to repeat it elsewhere."""


class _Loader(yaml.SafeLoader):
    """The safe loader without anchors and aliases, by which a small file can stand for a huge one."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        if getattr(event, "anchor", None) is not None:
            raise _Anchored(event.start_mark.line + 1)
        return super().compose_node(parent, index)


def read_yaml(path: Path, problems: list[Problem]) -> Tree:
    """The file as a tree; what cannot be read is added to `problems` and left out.

    Values stay the text that was written, so that a client id 007 keeps its zeros; only null is told apart.
    """
    text = _text(path, problems)
    node = None if text is None else _compose(text, str(path), problems)
    if node is None or node.tag == _NULL:
        return {}
    if not isinstance(node, yaml.MappingNode):
        problems.append(Problem(_place(node, str(path)), "", "keys are needed at the top, such as 'kafka:'"))
        return {}
    return _mapping(node, str(path), (), problems)


def _text(path: Path, problems: list[Problem]) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        what = f"the configuration file cannot be read: {getattr(error, 'strerror', error)}"
    else:
        what = f"the configuration file is longer than {MAX_FILE_BYTES} bytes"
        if len(content) <= MAX_FILE_BYTES:
            try:
                return content.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                line = content.count(b"\n", 0, error.start) + 1
                problems.append(
                    Problem(Place(str(path), line), "", "this is not UTF-8 text; save the file as UTF-8")
                )
                return None
    problems.append(Problem(Place(str(path)), "", what))
    return None


def _compose(text: str, source: str, problems: list[Problem]) -> yaml.Node | None:
    line = 0
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
        return node
    except _Anchored as anchored:
        (line,) = anchored.args
        what = "anchors (&) and aliases (*) are not supported; write the value out, in quotes if it starts so"
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = "there is a control character here; remove it"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        what = f"this is not valid YAML: {_without_quotations(error.problem or 'it cannot be parsed')}"
    except (ValueError, OverflowError):
        what = "this is not valid YAML: an escape or version in it is out of range"
    except RecursionError:
        what = "this is nested too deeply"
    problems.append(Problem(Place(source, line), "", what))
    return None


def _without_quotations(problem: str) -> str:
    """The parser's words without what it quotes from the file, which may be part of a secret."""
    return re.sub(
        r"'([^']*)'|\"[^\"]*\"",
        lambda found: found[0] if _SYNTAX.fullmatch(found[1] or "") else "text",
        problem,
    )


def _mapping(node: yaml.MappingNode, source: str, path: KeyPath, problems: list[Problem]) -> Tree:
    tree: Tree = {}
    for key_node, value_node in node.value:
        place = _place(key_node, source)
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(Problem(place, ".".join(path), "a key must be a single word"))
            continue
        here = (*path, key_node.value)
        if key_node.value in tree:
            first = tree[key_node.value].place.line
            problems.append(
                Problem(place, ".".join(here), f"this key is already given in line {first}; remove one")
            )
        elif (entry := _entry(value_node, place, here, problems)) is not None:
            tree[key_node.value] = entry
    return tree


def _entry(node: yaml.Node, place: Place, path: KeyPath, problems: list[Problem]) -> Entry | None:
    if isinstance(node, yaml.MappingNode):
        return Entry(_mapping(node, place.source, path, problems), place)
    if isinstance(node, yaml.ScalarNode) and node.tag == _NULL:
        return Entry(None, place)
    if isinstance(node, yaml.ScalarNode) and node.tag in _TAGS:
        return Entry(node.value, place)
    what = "no setting is a list" if isinstance(node, yaml.SequenceNode) else "tags (!) are not supported"
    problems.append(Problem(place, ".".join(path), f"{what}; see bridge.example.yaml", path))
    return None


def _place(node: yaml.Node, source: str) -> Place:
    return Place(source, node.start_mark.line + 1)
