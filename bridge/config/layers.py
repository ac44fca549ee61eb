"""Loads the settings: environment over YAML over defaults, with every mistake reported at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import PydanticBaseSettingsSource

from bridge.config.environment import FILE_VARIABLE, read_environment
from bridge.config.fields import Rule, RulesBroken
from bridge.config.model import Settings
from bridge.config.shape import Path as KeyPath
from bridge.config.shape import path_of, shape_of
from bridge.config.tree import Place, Problem, Tree, places, sound, values
from bridge.config.yaml_file import read_yaml
from bridge.core.errors import ConfigError


@dataclass(frozen=True)
class Loaded:
    """The settings, and where each one that is not a default was written."""

    settings: Settings
    places: Mapping[KeyPath, Place]


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Reads the settings from `environ`, the YAML file at `path` (else at $BRIDGE_CONFIG), and the defaults.

    Raises:
        ConfigError: lists everything that is wrong, a line each: place, key, what, and what to do.
    """
    return load_with_places(path, environ).settings


def load_with_places(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """As `load`, and says where each setting was written.

    Raises:
        ConfigError: as for `load`.
    """
    if path is None and environ.get(FILE_VARIABLE):
        path = Path(environ[FILE_VARIABLE])
    shape = shape_of(Settings)
    problems: list[Problem] = []
    file = {} if path is None else sound(read_yaml(path, problems), shape, problems)
    environment = sound(read_environment(environ, shape, problems), shape, problems)
    known = {**dict(places(file)), **dict(places(environment))}
    settings = _validated((environment, file), known, problems)
    if settings is None or problems:
        raise ConfigError("\n".join(str(problem) for problem in sorted(set(problems))))
    return Loaded(settings, known)


class _Layer(PydanticBaseSettingsSource):
    """One tree as a source of settings; pydantic-settings lays an earlier source over a later one."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(Settings)
        self.values = values(tree)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self.values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self.values

    def drop(self, path: KeyPath) -> None:
        """Forgets a value, so that its default stands in while the rest is checked."""
        section = self.values
        for key in path[:-1]:
            section = section.get(key) or {}
        section.pop(path[-1], None)


def _validated(
    trees: tuple[Tree, ...], known: Mapping[KeyPath, Place], problems: list[Problem]
) -> Settings | None:
    """The settings, or None after adding a problem for each value or rule that is wrong.

    A section with one bad value is not checked against its rules. So bad values are taken out and the rest is
    validated again, until nothing is wrong, or nothing more can be taken out.
    """
    layers = tuple(_Layer(tree) for tree in trees)
    # An argument that pydantic-settings documents, and that its types hide.
    sources: dict[str, Any] = {"_build_sources": (layers, {})}
    doubtful = {problem.about for problem in problems if problem.about}
    while True:
        try:
            return Settings(**sources)
        except ValidationError as error:
            faults = [fault for details in error.errors() for fault in _faults(details, known)]
        problems.extend(fault.problem for fault in faults if not fault.follows_from(doubtful, known))
        culprits = {path for fault in faults for path in fault.given if path}
        if not culprits:
            return None
        for path in culprits:
            for layer in layers:
                layer.drop(path)
        doubtful |= culprits
        known = {path: place for path, place in known.items() if not _below_any(path, culprits)}


@dataclass(frozen=True)
class _Fault:
    """A problem, the settings it is about, and those of them that the user gave."""

    problem: Problem
    about: tuple[KeyPath, ...]
    given: tuple[KeyPath, ...]

    def follows_from(self, doubtful: set[KeyPath], known: Mapping[KeyPath, Place]) -> bool:
        """Whether it is about a default that only stands in for something reported already."""
        return any(path not in known and _below_any(path, doubtful) for path in self.about)


def _below_any(path: KeyPath, others: set[KeyPath]) -> bool:
    return any(path[: len(other)] == other for other in others)


def _faults(details: ErrorDetails, known: Mapping[KeyPath, Place]) -> Iterator[_Fault]:
    path = tuple(str(part) for part in details["loc"])
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, RulesBroken):
        yield from (_rule_fault(rule, path, known) for rule in cause.broken)
        return
    given = _given(path, known)
    yield _Fault(
        Problem(known.get(given, Place("configuration")), ".".join(path), _what(details), path),
        (path,),
        (given,),
    )


def _rule_fault(rule: Rule, section: KeyPath, known: Mapping[KeyPath, Place]) -> _Fault:
    """Blames the first key that the user gave; the others may be defaults."""
    root = shape_of(Settings)
    about = tuple(path_of(root, ".".join((*section, key))) for key in rule.keys)
    given = tuple(path for path in about if path in known)
    blamed = (given or about)[0]
    place = known.get(blamed, Place("configuration"))
    return _Fault(Problem(place, ".".join(blamed), rule.otherwise, blamed), about, given)


def _given(path: KeyPath, known: Mapping[KeyPath, Place]) -> KeyPath:
    """The longest start of `path` that the user wrote; empty if none."""
    return next((path[:end] for end in range(len(path), 0, -1) if path[:end] in known), ())


def _what(details: ErrorDetails) -> str:
    """A sentence for one of pydantic's errors; shows numbers and choices, which are no secrets."""
    context = details.get("ctx", {})
    match details["type"]:
        case "value_error":
            return str(context["error"])
        case "missing":
            return "this key is needed here; add it"
        case "literal_error":
            need = f"one of {context['expected']}"
        case "int_parsing" | "int_from_float" | "int_type" | "int_parsing_size":
            need = "a whole number"
        case "float_parsing" | "float_type" | "finite_number":
            need = "a number"
        case "bool_parsing" | "bool_type":
            need = "true or false"
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal" as kind:
            need = _LIMITS[kind].format(**context)
        case _:
            return details["msg"]
    return f"{str(details['input'])[:40]!r} is given, but {need} is needed"


_LIMITS = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
}
