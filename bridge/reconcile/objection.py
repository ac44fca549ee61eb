"""When reconciling would do harm: the reasons not to, each in a sentence that says what to do."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bridge.reconcile.difference import Difference


class Reason(StrEnum):
    """Why nothing is changed; a label of metrics."""

    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    NUMBER = "number"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Objection:
    """Why nothing is changed, as a code and as a sentence."""

    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What tells whether a topic has all of an app's records.

    `policy` is its cleanup.policy (None: the cluster does not tell), `removed` how many offsets are
    gone from its beginning, `refused` how many records nobody can read, `present` how many records it has.
    """

    topic: str
    policy: str | None
    removed: int
    refused: int
    present: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much may be deleted: a share (0 to 1) of what the API holds, or an exact number told by hand."""

    share: float
    number: int | None = None


def objection(facts: TopicFacts, found: Difference, held: int, allowed: Allowance) -> Objection | None:
    """The first reason against making up for a difference; None if there is none, or nothing to do.

    `held` is how many records the API holds. A number told by hand overrules the share and nothing else.
    """
    return (_of_topic(facts) or _of_deletions(len(found.leavers), held, allowed)) if found else None


def _of_topic(facts: TopicFacts) -> Objection | None:
    if facts.policy not in ("compact", None):
        return Objection(
            Reason.TRUNCATED,
            f"topic {facts.topic} has cleanup.policy={facts.policy}, so it forgets records that still count; "
            "set it to compact and send all records again",
        )
    if facts.removed:
        return Objection(
            Reason.TRUNCATED,
            f"the first {facts.removed} offsets of topic {facts.topic} are gone, so records that still count "
            "may be among them; send all records to a new topic",
        )
    if facts.refused:
        return Objection(
            Reason.UNREADABLE,
            f"{facts.refused} records of topic {facts.topic} cannot be read, and each may be about this app; "
            "see the dead letters for why, and send each key again with a good record or without a value",
        )
    if not facts.present:
        return Objection(
            Reason.EMPTY, f"topic {facts.topic} has no records of this app, so it is not taken for the truth"
        )
    return None


def _of_deletions(leavers: int, held: int, allowed: Allowance) -> Objection | None:
    if allowed.number is not None:
        if allowed.number == leavers:
            return None
        return Objection(
            Reason.NUMBER, f"{leavers} would be deleted and not {allowed.number}; look at them again"
        )
    # By way of text, as 0.29 in binary is a little less than 29 of 100.
    if leavers > Decimal(str(allowed.share)) * held:
        return Objection(
            Reason.SHARE,
            f"{leavers} of {held} would be deleted, which is more than {allowed.share:.4g} of them; if that "
            f"is right, say so with --delete {leavers}",
        )
    return None
