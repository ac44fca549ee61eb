from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.outcome import (
    Accepted,
    Denied,
    InDoubt,
    ItemError,
    Outcome,
    Rejected,
    Throttled,
    Unavailable,
)
from bridge.productiv.statuses import Answer, outcome_of


def judged(status: int, body: bytes = b"", **about: Any) -> Outcome:
    return outcome_of(Answer(status, body, **about), records=10, wall=0.0, retry_after_cap=300.0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (100, InDoubt),
        (101, InDoubt),
        (200, Accepted),
        (201, Accepted),
        (202, Accepted),
        (204, Accepted),
        (300, Denied),
        (301, Denied),
        (302, Denied),
        (304, Denied),
        (307, Denied),
        (400, Rejected),
        (401, Denied),
        (402, Denied),
        (403, Denied),
        (404, Rejected),
        (405, Rejected),
        (407, Denied),
        (408, Unavailable),
        (409, Rejected),
        (413, Rejected),
        (415, Rejected),
        (422, Rejected),
        (425, Unavailable),
        (429, Throttled),
        (431, Rejected),
        (499, Rejected),
        (500, InDoubt),
        (501, InDoubt),
        (502, InDoubt),
        (503, Unavailable),
        (504, InDoubt),
        (520, InDoubt),
        (599, InDoubt),
        (999, InDoubt),
    ],
)
@pytest.mark.parametrize("complete", [True, False])
def test_each_status_has_its_outcome(status: int, kind: type, complete: bool) -> None:
    outcome = judged(status, complete=complete)
    if 200 <= status < 300 and not complete:
        kind = InDoubt  # what was cut off might have said `success: false`
    assert type(outcome) is kind
    assert getattr(outcome, "status", status) == status


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", Accepted),
        (b" \r\n", Accepted),
        (b"{}", Accepted),
        (b"null", Accepted),
        (b'"OK"', Accepted),
        (b"[]", Accepted),
        (b'{"success": true}', Accepted),
        (b'{"success": "true"}', Accepted),
        (b'{"success": false}', Rejected),
        (b'{"success": "false"}', Rejected),
        (b'{"success": null}', Rejected),
        (b'{"success": 0}', Rejected),
        (b"<html>Sign in</html>", InDoubt),
        (b"OK", InDoubt),
        (b'{"success": tr', InDoubt),
        (b"\xff\xfe", InDoubt),
    ],
)
def test_a_success_is_one_only_if_its_body_agrees(body: bytes, kind: type) -> None:
    assert type(judged(200, body)) is kind


def test_a_success_that_is_none_names_no_items() -> None:
    # Nobody knows what became of the other records, so none of them may pass for taken.
    body = b'{"success": false, "errors": [{"index": 3, "message": "bad"}]}'
    outcome = judged(200, body)
    assert isinstance(outcome, Rejected)
    assert (outcome.status, outcome.items, outcome.whole) == (200, (), False)
    assert outcome.excerpt == body.decode()


@pytest.mark.parametrize(
    ("status", "header", "outcome"),
    [
        (429, None, Throttled(429, None)),
        (429, "7", Throttled(429, 7.0)),
        (429, "rubbish", Throttled(429, None)),
        (429, "99999", Throttled(429, 300.0)),
        (429, "Thu, 01 Jan 1970 00:01:00 GMT", Throttled(429, 60.0)),
        (503, "7", Throttled(503, 7.0)),
        (503, "rubbish", Unavailable("the API answered 503 Service Unavailable", 503)),
        (503, "0", Unavailable("the API answered 503 Service Unavailable", 503)),
    ],
)
def test_retry_after_counts_where_the_api_is_busy(status: int, header: str | None, outcome: Outcome) -> None:
    assert judged(status, retry_after=header) == outcome


@pytest.mark.parametrize(
    ("status", "whole", "too_large"),
    [(400, False, False), (404, True, False), (405, True, False), (409, False, False), (413, False, True),
     (415, True, False), (422, False, False), (426, True, False)],
)  # fmt: skip
def test_a_refusal_says_whether_splitting_may_help(status: int, whole: bool, too_large: bool) -> None:
    outcome = judged(status)
    assert isinstance(outcome, Rejected)
    assert (outcome.whole, outcome.too_large) == (whole, too_large)


@pytest.mark.parametrize(("status", "count"), [(400, 1), (422, 1), (404, 0), (413, 0)])
def test_items_are_read_where_records_are_at_fault(status: int, count: int) -> None:
    outcome = judged(
        status, b'{"errors": [{"index": 3, "message": "bad"}, {"index": 10, "message": "beyond"}]}'
    )
    assert isinstance(outcome, Rejected)
    assert outcome.items == (ItemError(3, "bad"),) * count


def test_the_excerpt_is_short_and_redacted() -> None:
    body = b"user ann@example.com with Bearer abc at https://h.example/p?sig=1 " + b"x" * 1000
    outcome = judged(400, body)
    assert isinstance(outcome, Rejected)
    assert outcome.excerpt.startswith(
        "user [email] with Bearer [redacted] at https://h.example/p?[redacted] xxx"
    )
    assert len(outcome.excerpt) == 500


def test_reasons_are_sentences_for_an_operator() -> None:
    assert judged(403, b"no scope for ann@example.com") == Denied(
        403, "the API answered 403 Forbidden: no scope for [email]"
    )
    assert judged(302, location="https://sso.example/in?state=abc") == Denied(
        302,
        "the API answered 302 Found to https://sso.example/in?[redacted]; "
        "redirects are not followed: correct the API's address",
    )
    assert judged(599) == InDoubt("the API answered 599, which leaves open whether it took the batch", 599)


def test_a_known_secret_is_taken_out_whatever_its_shape() -> None:
    answer = Answer(400, b"plainword and plainword", False, "1", "/plainword").without("plainword")
    assert answer == Answer(400, b"[redacted] and [redacted]", False, "1", "/[redacted]")
    assert answer.without("") == answer


@given(
    st.integers(min_value=100, max_value=999),
    st.binary(max_size=60),
    st.booleans(),
    st.none() | st.text(max_size=9),
)
def test_any_answer_has_an_outcome_and_only_a_2xx_is_accepted(
    status: int, body: bytes, complete: bool, header: str | None
) -> None:
    outcome = judged(status, body, complete=complete, retry_after=header)
    assert isinstance(outcome, get_args(Outcome))
    assert not isinstance(outcome, Accepted) or (200 <= status < 300 and complete)
