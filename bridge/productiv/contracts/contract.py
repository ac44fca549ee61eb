"""What a description of the API says about each call, as data."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

from bridge.core.json_text import json_text
from bridge.core.polling import Page
from bridge.core.record import Doc
from bridge.core.stream import Operation

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Call:
    """One operation that takes a batch of records.

    `path` has the place `{app}` where the call is about one app. `envelope` is the key under which the
    records go, at most `max_records` of them. `scopes` are what the token must carry. `fields` maps each
    field of a record as the stream declares it to its name on the wire, and `beside` does so for what may
    stand beside the envelope.
    """

    method: str
    path: str
    envelope: str
    max_records: int
    scopes: frozenset[str]
    fields: Mapping[str, str]
    beside: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _renamed(self) -> bool:
        return any(field != name for field, name in self.fields.items())

    def target(self, place: Mapping[str, str]) -> str:
        """The path with the ids that `place` holds, each quoted so that it stays one segment.

        Raises:
            ValueError: an id cannot be a path segment: it is empty, `.`, `..`, or not proper Unicode.
        """
        return _target(self.path, place)

    def body(self, docs: Sequence[Doc], beside: Mapping[str, Any] = NOTHING) -> bytes:
        """The request body; the records go out as they are unless a field has another name on the wire.

        `beside` is what goes out with every batch, by the names that `Call.beside` lists.

        Raises:
            TypeError: a record holds what JSON cannot say.
        """
        if self._renamed:
            docs = [{self.fields.get(field, field): value for field, value in doc.items()} for doc in docs]
        return json_text({self.envelope: docs, **{self.beside[name]: beside[name] for name in beside}})


@dataclass(frozen=True)
class Question:
    """One operation whose answer is wanted: a list under the key `envelope`, or one object if that is None.

    `path` has places such as `{app}`, `{workflow}` and `{execution}`. `fields` maps what we call a field of
    the answer to its name on the wire; those in `required` are texts that every row must have. With
    `keep_unknown` the other fields of a row are kept under their names on the wire, else left out. `sent`
    does as `fields` for the request's body, `parameters` for its query. `paging` names the field of the
    answer that holds the token of the next page, which the parameter `page` takes; None: all in one answer.
    `export` says that the rate limit of the export API counts it.
    """

    method: str
    path: str
    scopes: frozenset[str]
    envelope: str | None
    fields: Mapping[str, str]
    required: frozenset[str]
    sent: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    paging: str | None = None
    keep_unknown: bool = False
    export: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether asking again changes nothing, so that a lost answer may simply be asked for once more."""
        return self.method == "GET"

    def target(self, place: Mapping[str, str]) -> str:
        """As `Call.target`."""
        return _target(self.path, place)

    def query(self, given: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
        """The query of the address: a parameter with several values is given once for each."""
        return [(self.parameters[name], value) for name, values in given.items() for value in values]

    def body(self, given: Mapping[str, Any]) -> bytes | None:
        """The request body; None where there is nothing to send.

        Raises:
            TypeError: it holds what JSON cannot say.
        """
        return json_text({self.sent[name]: value for name, value in given.items()}) if self.sent else None

    def page(self, document: object) -> Page:
        """The answer under our names; what is null is left out.

        Raises:
            ValueError: it is not what the description says, in words that quote nothing of it. What looks
                like an empty list because it stands under another key must never pass for one.
        """
        if not isinstance(document, dict):
            raise ValueError("it is not a JSON object")
        found = [document] if self.envelope is None else document.get(self.envelope)
        if not isinstance(found, list):
            raise ValueError(f"it has no list under {self.envelope!r}")
        described = set(self.fields.values())
        return Page([self._row(row, described) for row in found], self._next_page(document))

    def _next_page(self, document: dict[str, Any]) -> str | None:
        token = document.get(self.paging or "nextPageToken")
        if not token:
            return None
        if self.paging is None:
            raise ValueError("it says that more pages follow, which the description does not know of")
        if not isinstance(token, str):
            raise ValueError(f"what stands under {self.paging!r} is no text")
        return token

    def _row(self, row: object, described: Set[str]) -> Doc:
        if not isinstance(row, dict):
            raise ValueError(f"an entry under {self.envelope!r} is not an object")
        for name in self.required:
            if not (isinstance(value := row.get(self.fields[name]), str) and value):
                raise ValueError(f"an entry has no text under {self.fields[name]!r}")
        known = {ours: row[wire] for ours, wire in self.fields.items() if row.get(wire) is not None}
        if not self.keep_unknown:
            return known
        return {name: value for name, value in row.items() if name not in described} | known


@dataclass(frozen=True, slots=True)
class Contract:
    """One description of the API: where it lives and how each operation looks."""

    api_url: str
    token_url: str
    calls: Mapping[Operation, Call]
    questions: Mapping[Operation, Question]


def _target(path: str, place: Mapping[str, str]) -> str:
    for name, value in place.items():
        if value in ("", ".", "..") and f"{{{name}}}" in path:
            # Quoting leaves dots as they are, and clients and servers resolve such segments away, which would
            # turn the request into one about something else.
            raise ValueError(f"the {name} id is empty or only dots, and no path can hold that")
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path
