"""What the topics are: the descriptions in `topics/*.yaml`, read strictly."""

from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from bridge.core.errors import ConfigError, SchemaError
from bridge.resources import folder

MAX_FILE_BYTES = 65_536  # some fifty times the longest description

# What a broker accepts (org.apache.kafka.common.internals.Topic); "." and ".." are refused besides.
_TopicName = Annotated[str, Field(pattern=r"^(\.{3,}|\.{0,2}[a-zA-Z0-9_-][a-zA-Z0-9._-]*)$", max_length=249)]
_Partitions = Annotated[int, Field(ge=1, le=100_000)]
_RetentionHours = Annotated[int, Field(ge=1, le=24 * 365 * 100, description="hours, at least 1")]


class WireFormat(StrEnum):
    """How a record looks as the value of a Kafka message."""

    JSON = "json"
    AVRO = "avro"  # the project's own schema on both sides, no registry
    AVRO_REGISTRY = "avro_registry"  # Confluent framing: the registry knows what the record was written with


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class AppSource(_Part):
    """Where the app of a record is found: in a field or header (`name`), in the key, or always `value`.

    `none` says that the stream is about the company and no app.
    """

    from_: Literal["field", "header", "key", "constant", "none"] = Field(alias="from")
    name: Annotated[str, Field(min_length=1)] | None = None
    value: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.from_ in ("field", "header") and self.name is None:
            raise ValueError(f"`from: {self.from_}` needs `name`, the name of the {self.from_}")
        if self.from_ == "constant" and self.value is None:
            raise ValueError("`from: constant` needs `value`, the app of every record")
        return self


class DeadLetters(_Part):
    """The topic for the records that cannot be delivered."""

    topic: _TopicName
    partitions: _Partitions = 1
    retention_hours: _RetentionHours = 720


class InDoubt(_Part):
    """The topic for records of which nobody knows whether the API took them."""

    topic: _TopicName
    partitions: _Partitions = 1
    retention_hours: _RetentionHours = 8760


class Parked(_Part):
    """The topic for the records of apps that have failed for too long."""

    topic: _TopicName
    partitions: _Partitions = 12
    retention_hours: _RetentionHours = 8760


class Topic(_Part):
    """One topic, its wire format, and how it is created where it does not exist."""

    stream: str
    topic: _TopicName
    format: Annotated[WireFormat, Field(strict=False)]
    schema_file: str = Field(alias="schema", description="file name within schemas/, or an absolute path")
    app: AppSource
    partitions: _Partitions
    retention_hours: _RetentionHours
    cleanup: Literal["delete", "compact"]
    dead_letters: DeadLetters
    in_doubt: InDoubt | None = None
    parked: Parked | None = None

    @model_validator(mode="after")
    def _no_loop(self) -> Self:
        if self.dead_letters.topic == self.topic:
            raise ValueError("dead_letters.topic is the topic itself, so dead letters would be read again")
        if self.in_doubt is not None and self.in_doubt.topic in (self.topic, self.dead_letters.topic):
            raise ValueError("in_doubt.topic must be a topic of its own, or records would be sent again")
        others = (self.topic, self.dead_letters.topic, self.in_doubt and self.in_doubt.topic)
        if self.parked is not None and self.parked.topic in others:
            raise ValueError("parked.topic must be a topic of its own, or it would be delivered for ever")
        return self

    @property
    def schema_path(self) -> Path:
        """The Avro schema of the topic's records."""
        return folder("schemas") / self.schema_file


class OutputTopic(_Part):
    """One topic that a source fills, and how it is created where it does not exist.

    `output` is its name in the source's declaration. Records have the time that they tell of as Kafka's
    timestamp, so `retention_hours` must be longer than they are old when they come.
    """

    output: str
    source: str
    topic: _TopicName
    format: Annotated[WireFormat, Field(strict=False)]
    schema_file: str = Field(alias="schema", description="file name within schemas/, or an absolute path")
    partitions: _Partitions
    retention_hours: _RetentionHours
    cleanup: Literal["delete", "compact"]

    @property
    def schema_path(self) -> Path:
        """The Avro schema of the topic's records."""
        return folder("schemas") / self.schema_file


_Described = TypeVar("_Described", Topic, OutputTopic)

_ASIDE: dict[str, type[_Part]] = {"dead_letters": DeadLetters, "in_doubt": InDoubt, "parked": Parked}


def load(path: Path) -> Topic:
    """Reads one description of a topic that a sink reads.

    Raises:
        SchemaError: the file cannot be read or says something that is not a topic description.
    """
    return _described(path, Topic, "stream")


def load_output(path: Path) -> OutputTopic:
    """Reads one description of a topic that a source fills.

    Raises:
        SchemaError: the file cannot be read or says something that is not a topic description.
    """
    return _described(path, OutputTopic, "output")


def load_all() -> dict[str, Topic]:
    """Reads the description of every topic that a sink reads, by stream.

    Raises:
        SchemaError: a file cannot be read or says something that is not a topic description.
    """
    return {path.stem: load(path) for path in _files() if not _of_output(path)}


def load_outputs() -> dict[str, OutputTopic]:
    """Reads the description of every topic that a source fills, by output.

    Raises:
        SchemaError: a file cannot be read or says something that is not a topic description.
    """
    return {path.stem: load_output(path) for path in _files() if _of_output(path)}


def _files() -> list[Path]:
    return sorted(folder("topics").glob("*.yaml"))


def _of_output(path: Path) -> bool:
    content = _content(path)
    return isinstance(content, dict) and "output" in content


class _Loader(yaml.SafeLoader):
    """The safe loader without anchors and aliases, by which a small file can stand for a huge one."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        if getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(
                problem="anchors (&) and aliases (*) are not supported", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)


def _content(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"it is longer than {MAX_FILE_BYTES} bytes")
        return yaml.load(content.decode(), _Loader)  # noqa: S506  (it is a safe one)
    except (
        Exception
    ) as error:  # the parser raises whatever it stumbles over, such as a KeyError for `!!bool x`
        raise SchemaError(f"{path}: cannot be read: {type(error).__name__}: {error}") from error


def _described(path: Path, kind: type[_Described], name: str) -> _Described:
    try:
        topic = kind.model_validate(_content(path))
    except ValidationError as error:
        raise SchemaError(f"{path}: {_sentences(error, kind)}") from None
    if (named := getattr(topic, name)) != path.stem:
        raise SchemaError(f"{path}: describes {name} {named!r}; name the file {named}.yaml")
    return topic


def overridden(topic: Topic, changes: Mapping[str, Any]) -> Topic:
    """The topic with what the configuration says instead, checked like the file itself.

    `changes` looks like the file, with the keys that change; None leaves a key as it is. `app` is replaced as
    a whole, `dead_letters`, `in_doubt` and `parked` key by key.

    Raises:
        ConfigError: the result is no topic description; the message names the stream and the key.
    """
    changed = topic.model_dump(by_alias=True)
    if changes.get("app") is not None and topic.app.from_ == "none":
        raise ConfigError(f"topic of stream {topic.stream!r}: app: its records are about no app; remove it")
    for key, value in changes.items():
        if isinstance(value, Mapping) and key in _ASIDE:
            given = {name: inner for name, inner in value.items() if inner is not None}
            changed[key] = (changed[key] or {}) | given
        elif value is not None:
            changed[key] = value
    changed |= {key: changed[key] or None for key in _ASIDE}
    try:
        return Topic.model_validate(changed)
    except ValidationError as error:
        raise ConfigError(f"topic of stream {topic.stream!r}: {_sentences(error, Topic)}") from None


def overridden_output(output: OutputTopic, topic: str | None, wire_format: str | None) -> OutputTopic:
    """The output with what the configuration says instead; None leaves it as it is."""
    changes = {"topic": topic or output.topic, "format": WireFormat(wire_format or output.format)}
    return output.model_copy(update=changes)


def _sentences(error: ValidationError, kind: type[_Part]) -> str:
    return "; ".join(_sentence(each, kind) for each in error.errors(include_url=False))


def _sentence(error: ErrorDetails, kind: type[_Part]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{key}: is no key of a topic description{_nearest(error['loc'], kind)}"
    if error["type"] == "missing":
        return f"{key}: is missing"
    said = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f"{key}: {said}".removeprefix(": ")


def _nearest(loc: tuple[int | str, ...], kind: type[_Part]) -> str:
    parts: dict[str, type[_Part]] = {"app": AppSource, **_ASIDE}
    part = parts.get(str(loc[0]), kind) if len(loc) > 1 else kind
    names = [field.alias or name for name, field in part.model_fields.items()]
    close = get_close_matches(str(loc[-1]), names, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(names)}"
