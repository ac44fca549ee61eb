"""Why records cannot go on: by their own fault (`Refusal`), or by that of a registry that does not answer."""

from bridge.core.errors import BridgeError


class Refusal(Exception):
    """One record cannot be sent; the decoder turns this into a `Refused`.

    `reason` is the short code of `bridge.core.record.Refused`, `detail` its sentence: it names the field,
    what is wrong and what would be right, and holds no text from the record, as that may be about people.
    `field` is the declared field that is wrong, the first one of several; empty if it is none.
    """

    def __init__(self, reason: str, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.field = field


class SchemaRegistryUnavailable(BridgeError):
    """The schema registry did not answer, or not as one: no fault of any record, so try again later."""


def undecodable(detail: str) -> Refusal:
    """The value cannot be read in the wire format of its topic."""
    return Refusal("undecodable", detail)


def invalid(detail: str, field: str = "") -> Refusal:
    """The value can be read, but is not a record of its stream."""
    return Refusal("invalid", detail, field)


def unknown_app(detail: str) -> Refusal:
    """Nobody can say which app the record belongs to."""
    return Refusal("unknown_app", detail)


def too_large(detail: str) -> Refusal:
    """The value is longer than the bridge is told to take."""
    return Refusal("too_large", detail)
