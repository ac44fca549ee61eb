"""The faults one can switch on, as they are written in JSON.

Each says `kind` and its own parameters; all share `app`, `operation`, `times`, `share` and `skip`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Seconds = Annotated[float, Field(ge=0, le=3600)]
When = Literal["before", "after"]
"""Before the batch is taken, or after: the client cannot tell, its next try decides what that means."""
DropWhen = Literal["during", "before", "after"]
"""During: as soon as the headers are in, the body unread."""


class Shared(BaseModel):
    """What every fault may say about when it fires.

    `app` limits it to calls for one app and `operation` to one API call; without an operation it meets every
    call but that for a token. It leaves the first `skip` calls it meets alone, fires with probability `share`
    on the others, and at most `times` times (None: until it is cleared).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    app: str | None = None
    operation: str | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    skip: Annotated[int, Field(ge=0)] = 0


class Latency(Shared):
    """The answer takes `seconds` longer, and up to `jitter` seconds more."""

    kind: Literal["latency"]
    seconds: Seconds
    jitter: Seconds = 0.0


class Stall(Shared):
    """Nothing comes for `seconds`, then all goes on as usual; None: nothing ever comes.

    If the client leaves during a stall before the batch is taken, it is not taken.
    """

    kind: Literal["stall"]
    seconds: Seconds | None = None
    when: When = "before"


class Status(Shared):
    """Any status from 300 to 599; `retry_after` (seconds) adds the header `Retry-After` in either form."""

    kind: Literal["status"]
    status: Annotated[int, Field(ge=300, le=599)]
    retry_after: Annotated[int, Field(ge=0, le=86_400)] | None = None
    retry_after_form: Literal["seconds", "date"] = "seconds"
    when: When = "before"


class Reset(Shared):
    """The connection is reset (TCP RST) without an answer."""

    kind: Literal["reset"]
    when: DropWhen = "before"


class Close(Shared):
    """The connection is closed in order (TCP FIN) without an answer."""

    kind: Literal["close"]
    when: DropWhen = "before"


class Cut(Shared):
    """The batch is taken, and the connection closed in the middle of the answer's body."""

    kind: Literal["cut"]


class TokenExpired(Shared):
    """The token of the call is no longer good, as if its time had run out: 401, and a fresh token works."""

    kind: Literal["token_expired"]


class TokenRevoked(Shared):
    """Every token given out so far is no longer good: 401, and a fresh token works."""

    kind: Literal["token_revoked"]


class Poison(Shared):
    """A batch with records that contain `marker` in one of their texts is refused as a whole.

    `per_item` says whether the answer names the records.
    """

    kind: Literal["poison"]
    marker: Annotated[str, Field(min_length=1)] = "poison"
    per_item: bool = True
    status: Literal[400, 413, 422] = 400


class SuccessFalse(Shared):
    """The answer is 200 with `{"success": false}`."""

    kind: Literal["success_false"]
    when: When = "before"


class MalformedJson(Shared):
    """The answer is 200 with half a JSON document, complete as HTTP goes."""

    kind: Literal["malformed_json"]
    when: When = "after"


class WrongRoot(Shared):
    """The list of a list operation stands under the key `root`, in an answer that is 200."""

    kind: Literal["wrong_root"]
    root: Annotated[str, Field(min_length=1)] = "items"


class EmptyList(Shared):
    """The list is there and empty, and no page follows: 200, and what the client knew seems to be gone."""

    kind: Literal["empty_list"]


class RepeatToken(Shared):
    """The page names itself as the next one, so that a client which believes it asks for ever."""

    kind: Literal["repeat_token"]


Fault = (
    Latency
    | Stall
    | Status
    | Reset
    | Close
    | Cut
    | TokenExpired
    | TokenRevoked
    | Poison
    | SuccessFalse
    | MalformedJson
    | WrongRoot
    | EmptyList
    | RepeatToken
)

FAULT: TypeAdapter[Fault] = TypeAdapter(Annotated[Fault, Field(discriminator="kind")])

KINDS: dict[str, type[Shared]] = {
    kind.model_fields["kind"].annotation.__args__[0]: kind for kind in Fault.__args__
}

Phase = Literal["during", "before", "poison", "list", "page", "after"]


def phase(fault: Fault) -> Phase:
    """When in the course of a call the fault is drawn.

    During: before the body is read; before: before the batch is taken; poison: on its records; list and page:
    on a good answer that is a list, and on one that may have pages; after: once the batch was taken. The last
    meets only calls whose batch was taken, so `times: 1` loses exactly one good answer.
    """
    match fault:
        case Poison():
            return "poison"
        case WrongRoot() | EmptyList():
            return "list"
        case RepeatToken():
            return "page"
        case Cut():
            return "after"
        case Latency() | TokenExpired() | TokenRevoked():
            return "before"
        case _:
            return fault.when
