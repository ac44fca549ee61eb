"""What keys may stand where, read off the model once, so that YAML and environment are checked alike."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bridge.config.fields import DottedKeys, KeysAmong

Path = tuple[str, ...]
"""The keys from the top down to one setting."""


@dataclass(frozen=True, slots=True)
class Value:
    """A single value. `about` is its description."""

    about: str = ""
    nullable: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """A mapping with a closed list of keys."""

    about: str
    nullable: bool
    keys: dict[str, "Shape"]


@dataclass(frozen=True, slots=True)
class AnyKeys:
    """A mapping whose keys are the user's own; `dotted` ones are librdkafka's names."""

    about: str
    dotted: bool


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping whose keys are the user's own, each with a section of the same shape."""

    about: str
    section: Keys


Shape = Value | Keys | AnyKeys | Named


@cache
def shape_of(model: type[BaseModel]) -> Keys:
    """The shape of a whole model."""
    return Keys("", False, _keys(model))


def at(shape: Shape, path: Path) -> Shape | None:
    """The shape at a path below `shape`; None where nothing may stand."""
    for key in path:
        match shape:
            case Keys(keys=keys) if key in keys:
                shape = keys[key]
            case AnyKeys():
                shape = Value()
            case Named(section=section):
                shape = section
            case _:
                return None
    return shape


def path_of(shape: Shape, dotted: str) -> Path:
    """Splits a dotted key; below a mapping with free keys the rest is one key, dots and all."""
    head, _, rest = dotted.partition(".")
    match shape:
        case Keys(keys=keys) if rest and head in keys:
            return (head, *path_of(keys[head], rest))
        case _:
            return (dotted,)


def key_paths(shape: Shape, path: Path = ()) -> Iterator[Path]:
    """The path of every key that has a name of its own, sections before what is in them."""
    if isinstance(shape, Keys):
        for key, below in shape.keys.items():
            yield (*path, key)
            yield from key_paths(below, (*path, key))


def _keys(model: type[BaseModel]) -> dict[str, Shape]:
    return {field.alias or name: _field(field) for name, field in model.model_fields.items()}


def _field(field: FieldInfo) -> Shape:
    about = field.description or ""
    kind, nullable = _unwrap(field.annotation)
    if get_origin(kind) is dict:
        return _dictionary(kind, about, field.metadata)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return Keys(about, nullable, _keys(kind))
    return Value(about, nullable, kind is SecretStr)


def _dictionary(kind: Any, about: str, metadata: list[Any]) -> Shape:
    for mark in metadata:
        if isinstance(mark, KeysAmong):
            section = get_args(kind)[1]
            return Keys(
                about, False, {n: Keys(section.__doc__ or "", False, _keys(section)) for n in mark.names}
            )
    if isinstance(section := get_args(kind)[1], type) and issubclass(section, BaseModel):
        return Named(about, Keys(section.__doc__ or "", False, _keys(section)))
    return AnyKeys(about, any(isinstance(mark, DottedKeys) for mark in metadata))


def _unwrap(kind: Any) -> tuple[Any, bool]:
    """The type without `| None` and `Annotated`, and whether None was allowed."""
    nullable = False
    if get_origin(kind) in (Union, types.UnionType):
        nullable = True
        (kind,) = (member for member in get_args(kind) if member is not type(None))
    return (get_args(kind)[0] if get_origin(kind) is Annotated else kind), nullable
