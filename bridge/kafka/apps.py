"""The app of a record: where it is found, and which Productiv app id it stands for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from confluent_kafka import Message

from bridge.core.errors import ConfigError
from bridge.kafka.headers import all_headers
from bridge.kafka.refusal import Refusal, unknown_app
from bridge.kafka.topics import AppSource

UnknownApp = Literal["pass", "dead_letter"]

# The lane of records that are about no app.
COMPANY = "company"
# An app id becomes a part of the request's address; what is longer is a mistake and not an id.
MAX_APP_CHARACTERS = 256
# 16,384 names of up to 256 characters are some 5 MB at most; above it the memory starts afresh.
_REMEMBERED = 16_384


class Apps:
    """Finds the app of each record and maps it to a Productiv app id.

    A name that `names` does not list is taken for an app id (`unknown="pass"`) or refused (`"dead_letter"`).

    Raises:
        ConfigError: `names` leads to something that cannot be an app id, or the constant is refused.
    """

    def __init__(
        self, source: AppSource, names: Mapping[str, str] | None = None, unknown: UnknownApp = "pass"
    ) -> None:
        self._names = dict(names or {})
        self._unknown = unknown
        self._where = _where(source)
        self._find = _finder(source)
        # What is about no app needs no listing among the apps.
        self._known: dict[Any, str] = {COMPANY: COMPANY} if source.from_ == "none" else {}
        for name, app in self._names.items():
            if wrong := _wrong(app):
                raise ConfigError(f"apps.names: {name!r} leads to an app id that {wrong}")
        if source.value is not None:
            try:
                self.id_of(source.value)
            except Refusal as refusal:
                raise ConfigError(refusal.detail) from None

    def of(self, messages: Sequence[Message], records: Sequence[Any]) -> list[str]:
        """The app ids of decoded records, which are mappings, and the messages they came in.

        Raises:
            Refusal: at least one of them has no app, or an unknown one.
        """
        found = self._find(messages, records)
        known = self._known
        try:
            return [known[name] for name in found]
        except (KeyError, TypeError):
            return [self.id_of(name) for name in found]

    def named(self, message: Message, record: Mapping[str, Any]) -> str | None:
        """What one record says of its app, whether or not it can be one; None if that is no text."""
        [found] = self._find([message], [record])
        if isinstance(found, bytes):
            return found.decode(errors="replace")
        return found if isinstance(found, str) else None

    def id_of(self, name: object) -> str:
        """The app id for what was found in the record's field, header or key.

        Raises:
            Refusal: nothing was found, it cannot be an app, or it is unknown.
        """
        text = self._text(name)
        app = self._names.get(text)
        if app is None:
            if self._unknown == "dead_letter":
                raise unknown_app(f"{self._where} holds an app that apps.names of the bridge does not list")
            app = text
        if len(self._known) >= _REMEMBERED:
            self._known = {}
        self._known[name] = app
        return app

    def _text(self, name: object) -> str:
        if name is None:
            raise unknown_app(f"{self._where} is missing; it says which app the record belongs to")
        if isinstance(name, bytes):
            try:
                name = name.decode()
            except UnicodeDecodeError:
                raise unknown_app(f"{self._where} is not UTF-8 text; send the name of an app") from None
        if not isinstance(name, str):
            raise unknown_app(f"{self._where} is not text; send the name of an app")
        if wrong := _wrong(name):
            raise unknown_app(f"{self._where} {wrong}; send the name of an app")
        return name


def _wrong(app: str) -> str | None:
    if not app.strip():
        return "is empty"
    if len(app) > MAX_APP_CHARACTERS:
        return f"has {len(app)} characters where {MAX_APP_CHARACTERS} are allowed"
    if not app.isprintable():
        return "holds control characters"
    # As a part of an address these two mean another address.
    return "is only dots" if app in (".", "..") else None


def _where(source: AppSource) -> str:
    match source.from_:
        case "field" | "header":
            return f"{source.from_} {source.name}"
        case "key":
            return "the record's key"
        case "constant":
            return "the constant app"
        case "none":
            return "the company"


def _finder(source: AppSource) -> Callable[[Sequence[Message], Sequence[Any]], list[Any]]:
    """How to find the names of a whole chunk, chosen once so that the chunk needs no branch per record."""
    name = source.name or ""
    match source.from_:
        case "field":
            return lambda messages, records: [record.get(name) for record in records]
        case "header":
            return lambda messages, records: [_header(message, name) for message in messages]
        case "key":
            return lambda messages, records: [message.key() for message in messages]
        case "constant":
            return lambda messages, records: [source.value] * len(messages)
        case "none":
            return lambda messages, records: [COMPANY] * len(messages)


def _header(message: Message, name: str) -> Any:
    """The last header of that name, as Kafka's own `lastHeader`."""
    return next((value for key, value in reversed(all_headers(message)) if key == name), None)
