"""The building blocks of every section: checked types, rules between keys, and secrets kept in files."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    SecretStr,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from bridge.core.errors import ConfigError

# The certificate bundle of a whole operating system is some 230 kB; more than 1 MB is a wrong file.
_MAX_SECRET_FILE_BYTES = 1_000_000


class Section(BaseModel):
    """A group of settings: immutable, closed to unknown keys, silent about the values that it refuses."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, validate_default=True
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule between settings: whether it `holds`, its keys, and the sentence for when it does not.

    Keys are dotted and relative to the section that states the rule, the likeliest to be at fault first.
    """

    holds: bool
    keys: tuple[str, ...]
    otherwise: str


class RulesBroken(ValueError):
    """Settings that contradict each other; carries the broken rules, so that each is reported by line."""

    def __init__(self, broken: list[Rule]) -> None:
        super().__init__("; ".join(rule.otherwise for rule in broken))
        self.broken = broken


def refuse_broken(rules: Iterable[Rule]) -> None:
    """Checks all rules of a section at once.

    Raises:
        RulesBroken: at least one rule does not hold.
    """
    if broken := [rule for rule in rules if not rule.holds]:
        raise RulesBroken(broken)


@dataclass(frozen=True, slots=True)
class KeysAmong:
    """Marks a dictionary whose keys come from a closed list, for the checks and for the JSON Schema.

    `sections` says what stands under each.
    """

    sections: Mapping[str, type[BaseModel]]

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Adds the list of names to the JSON Schema."""
        return {**handler(schema), "propertyNames": {"enum": list(self.sections)}}


@dataclass(frozen=True, slots=True)
class DottedKeys:
    """Marks a dictionary whose keys hold dots, which an environment variable writes as underscores."""


def read_secret_file(path: Path, key: str) -> str:
    """The content of a secret file, without the line end that editors add; `key` is the setting's name.

    Raises:
        ConfigError: the file cannot be read, is empty, is not text, or is larger than any secret.
    """
    secret = read_file(path, key).rstrip("\r\n")
    if not secret:
        raise ConfigError(f"{key}: the file {path} is empty")
    return secret


def read_file(path: Path, key: str) -> str:
    """The text of a file with a secret or with certificates; `key` is the setting's name.

    Raises:
        ConfigError: the file cannot be read, is not text, or is larger than any such file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_SECRET_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{key}: cannot read the file {path}: {error.strerror}") from None
    if len(content) > _MAX_SECRET_FILE_BYTES:
        raise ConfigError(
            f"{key}: the file {path} is larger than {_MAX_SECRET_FILE_BYTES} bytes, so it is not a secret"
        )
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{key}: the file {path} is not UTF-8 text") from None


def _check_url(url: str) -> str:
    """Refuses what no service can be reached at, and credentials, which would show in logs."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("this is not a URL; write it like https://host:port/path") from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", url):
        raise ValueError("this is not a URL; write it like https://host:port/path")
    if "@" in url:  # also behind a slash, which a password may hold unescaped
        raise ValueError("the URL holds a user name or password; put those into their own settings")
    if parts.query or parts.fragment:
        raise ValueError("the URL holds a query (?) or fragment (#); remove it")
    return url.rstrip("/")


def _check_registry_url(urls: str) -> str:
    """As `_check_url`, for one or several addresses divided by commas; mock:// is a registry in memory."""
    each = [url.strip() for url in urls.split(",")]
    return ",".join(url if re.fullmatch(r"mock://[\w.-]*", url) else _check_url(url) for url in each)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _check_topic(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name) or name in (".", ".."):
        raise ValueError(
            "this is no name for a topic; use at most 249 letters, digits, dots, underscores and hyphens"
        )
    return name


def _check_file_name(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("this is no name of a file; it holds a NUL character")
    return path


def _not_empty(value: Any) -> Any:
    if value == "":
        raise ValueError("this is empty; give a value or remove the key")
    return value


Text = Annotated[str, BeforeValidator(_not_empty)]
Secret = Annotated[SecretStr, BeforeValidator(_not_empty)]
FilePath = Annotated[Path, BeforeValidator(_not_empty), AfterValidator(_check_file_name)]
TopicName = Annotated[str, AfterValidator(_check_topic)]
ServiceUrl = Annotated[str, AfterValidator(_check_url)]
RegistryUrl = Annotated[str, AfterValidator(_check_registry_url)]
AnyCase = BeforeValidator(_lower)
