"""What a description of the API says about each call, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import orjson

from bridge.core.record import Doc
from bridge.core.stream import Operation


@dataclass(frozen=True)
class Call:
    """One operation on the wire.

    `path` has the place `{app}` where the call is about one app. `envelope` is the key under which the
    records go, at most `max_records` of them. `scopes` are what the token must carry. `fields` maps each
    field of a record as the stream declares it to its name on the wire.
    """

    method: str
    path: str
    envelope: str
    max_records: int
    scopes: frozenset[str]
    fields: Mapping[str, str]

    @cached_property
    def _renamed(self) -> bool:
        return any(field != name for field, name in self.fields.items())

    def target(self, app: str) -> str:
        """The path for an app, its id quoted so that it stays one segment.

        Raises:
            ValueError: the id cannot be a path segment: it is empty, `.`, `..`, or not proper Unicode.
        """
        if app in ("", ".", ".."):
            # Quoting leaves dots as they are, and clients and servers resolve such segments away, which
            # would turn the request into one about something else.
            raise ValueError("the app id is empty or only dots, and no path can hold that")
        return self.path.replace("{app}", quote(app, safe=""))

    def body(self, docs: Sequence[Doc]) -> bytes:
        """The request body; the records go out as they are unless a field has another name on the wire.

        Raises:
            TypeError: a record holds what JSON cannot say.
        """
        if self._renamed:
            docs = [{self.fields.get(field, field): value for field, value in doc.items()} for doc in docs]
        return orjson.dumps({self.envelope: docs})


@dataclass(frozen=True, slots=True)
class Contract:
    """One description of the API: where it lives and how each operation looks."""

    api_url: str
    token_url: str
    calls: Mapping[Operation, Call]
