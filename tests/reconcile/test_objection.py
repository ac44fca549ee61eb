"""Each reason not to reconcile, and the cases just beside it."""

from dataclasses import replace

import pytest

from bridge.reconcile.difference import Difference
from bridge.reconcile.objection import Allowance, Reason, TopicFacts, objection

GOOD = TopicFacts(topic="users", policy="compact", removed=0, refused=0, present=90)


def leavers(count: int) -> Difference:
    return Difference(leavers={f"u{n}": {"email": f"u{n}"} for n in range(count)})


def reason(
    facts: TopicFacts, count: int, held: int, share: float = 0.1, number: int | None = None
) -> str | None:
    against = objection(facts, leavers(count), held, Allowance(share, number))
    return against.reason if against is not None else None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (GOOD, None),
        (replace(GOOD, policy=None), None),
        (replace(GOOD, policy="delete"), Reason.TRUNCATED),
        (replace(GOOD, policy="compact,delete"), Reason.TRUNCATED),
        (replace(GOOD, removed=1), Reason.TRUNCATED),
        (replace(GOOD, refused=1), Reason.UNREADABLE),
        (replace(GOOD, present=0), Reason.EMPTY),
    ],
)
def test_a_topic_that_may_lack_records_is_not_taken_for_the_truth(
    facts: TopicFacts, expected: str | None
) -> None:
    assert reason(facts, 1, 100) == expected
    # A number told by hand is about how many, not about whether the topic is whole.
    assert reason(facts, 1, 100, number=1) == expected


@pytest.mark.parametrize("facts", [replace(GOOD, present=0), replace(GOOD, policy="delete")])
def test_where_nothing_differs_there_is_nothing_to_object_to(facts: TopicFacts) -> None:
    assert reason(facts, 0, 0) is None


@pytest.mark.parametrize(
    ("count", "held", "share", "expected"),
    [
        (10, 100, 0.1, None),
        (11, 100, 0.1, Reason.SHARE),
        (29, 100, 0.29, None),  # 0.29 * 100 is less than 29 in binary
        (30, 100, 0.29, Reason.SHARE),
        (1, 1, 0.0, Reason.SHARE),
        (100, 100, 1.0, None),
    ],
)
def test_the_share_that_may_be_deleted(count: int, held: int, share: float, expected: str | None) -> None:
    assert reason(GOOD, count, held, share) == expected


def test_a_number_told_by_hand_must_be_right_and_then_overrules_the_share() -> None:
    assert reason(GOOD, 60, 100, number=60) is None
    assert reason(GOOD, 60, 100, number=59) == Reason.NUMBER
    assert reason(GOOD, 1, 100, number=2) == Reason.NUMBER


def test_the_sentence_says_what_to_do() -> None:
    against = objection(GOOD, leavers(60), 100, Allowance(0.1))
    assert against is not None
    assert against.sentence == (
        "60 of 100 would be deleted, which is more than 0.1 of them; "
        "if that is right, say so with --delete 60"
    )


def test_only_adds_are_no_matter_of_share() -> None:
    added = Difference(adds={"u": {"email": "u"}})
    assert objection(GOOD, added, 0, Allowance(0.0)) is None
