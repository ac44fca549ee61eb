"""The words between the endpoint and the endpoint groups: call, answer, operation, part."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from starlette.datastructures import Headers, QueryParams


@dataclass(slots=True)
class Call:
    """One request to the API, its body read and its token checked.

    `records` are the items of the batch where the operation declares one; `document` is the whole body.
    """

    app: str
    params: Mapping[str, str]
    query: QueryParams
    headers: Headers
    base_url: str
    body: bytes = b""
    document: Any = None
    records: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: status, body as it is on the wire, and headers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, orjson.dumps(document), {"content-type": "application/json", **(headers or {})})


ACCEPTED = json_answer(200, {"success": True})


def refusal(status: int, message: str) -> Answer:
    """An answer that refuses the request as a whole and says why."""
    return json_answer(status, {"message": message})


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        ValueError: there is none.
    """
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the body must be a JSON object")
    return document


@dataclass(frozen=True, slots=True)
class Batch:
    """How the body of a batch operation looks: `{root: [records]}`.

    `check` returns what is wrong with one record, or None. `limit` is the most records a request may hold.
    `required` says whether the root must be there. `loads` parses the body; it raises ValueError.
    """

    root: str
    check: Callable[[Any], str | None]
    limit: int = 1000
    required: bool = True
    loads: Callable[[bytes], Any] = orjson.loads


@dataclass(frozen=True, slots=True)
class Listing:
    """How the answer of a list operation looks: `{root: [items]}`.

    `own_token` gives a token that leads to the page which the call itself asks for; None: there are no pages.
    """

    root: str
    own_token: Callable[[Call], str] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One API call: where it lives, which scope it needs, and what it does.

    `scope` None means that no token is asked for. `handle` runs once everything else has been checked.
    With `digest_body` the body is not kept but measured: `call.document` is its `size` and `sha256`.
    """

    name: str
    method: str
    path: str
    scope: str | None
    handle: Callable[[Call], Answer]
    batch: Batch | None = None
    digest_body: bool = False
    listing: Listing | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the content a part keeps. `total` counts what was accepted, `kept` what is still held."""

    items: list[Any]
    total: int
    kept: int


class Part(Protocol):
    """A group of endpoints with the state they keep."""

    name: str
    """The key under which its figures stand in the state."""
    content_path: str
    """`GET /_sandbox/<content_path>` pages through its content."""

    def operations(self) -> Sequence[Operation]:
        """The API calls of this group."""
        ...

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """Figures by app; the key is empty where there is no app."""
        ...

    def page(self, app: str, offset: int, limit: int) -> Page:
        """Content of one app from position `offset`, at most `limit` items."""
        ...

    def reset(self) -> None:
        """Forgets everything."""
        ...
