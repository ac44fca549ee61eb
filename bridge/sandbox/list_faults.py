"""Faults that spoil the answer of a list operation, so that it looks right and is not."""

from typing import Any

import orjson

from bridge.sandbox.call import Answer, Call, Listing, json_answer
from bridge.sandbox.fault_kinds import EmptyList, Fault, RepeatToken, WrongRoot


def spoiled(answer: Answer, fault: Fault, call: Call, listing: Listing) -> Answer:
    """The answer to a call as the fault would have it."""
    document: dict[str, Any] = orjson.loads(answer.body)
    match fault:
        case WrongRoot(root=root):
            document[root] = document.pop(listing.root)
        case EmptyList():
            document = {listing.root: []}
        case RepeatToken() if listing.own_token:
            document["nextPageToken"] = listing.own_token(call)
        case _:
            return answer
    return json_answer(200, document)
