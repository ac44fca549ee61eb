"""What a topic says against what the API holds, for one app."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bridge.core.record import Doc

Records = dict[str, Doc]
"""Records by identity, as text without case."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be added at the API, changed there, and taken away (as the API holds it); by identity."""

    adds: Records = field(default_factory=dict)
    changes: Records = field(default_factory=dict)
    leavers: Records = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.adds or self.changes or self.leavers)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {"adds": len(self.adds), "changes": len(self.changes), "leavers": len(self.leavers)}


def by_identity(docs: Iterable[Doc], field: str) -> Records:
    """The records by this field without case, as the API compares them."""
    return {str(doc[field]).lower(): doc for doc in docs}


def difference(wanted: Mapping[str, Doc], held: Mapping[str, Doc], field: str) -> Difference:
    """What would make `held` into `wanted`. `field` holds the identity; its spelling makes no difference."""
    return Difference(
        adds={who: doc for who, doc in wanted.items() if who not in held},
        changes={
            who: doc
            for who, doc in wanted.items()
            if who in held and _content(doc, field) != _content(held[who], field)
        },
        leavers={who: doc for who, doc in held.items() if who not in wanted},
    )


def _content(doc: Doc, field: str) -> Doc:
    """What is said of a record: an empty text or a null says as little as a field that is not there."""
    return {name: value for name, value in doc.items() if name != field and value not in (None, "")}
