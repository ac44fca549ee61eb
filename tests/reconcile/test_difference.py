"""The difference is exactly what makes the API hold what the topic says."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.record import Doc
from bridge.reconcile.difference import Difference, by_identity, difference

WHO = st.sampled_from([f"{name}@example.com" for name in ("ada", "bob", "cyd", "dan", "eve")])
SPELLINGS = st.sampled_from([str.lower, str.upper, str.title])
ROLES = st.sampled_from([None, "", "user", "admin"])


@st.composite
def users(draw: st.DrawFn) -> dict[str, Doc]:
    """Some of five people, each spelled and described somehow."""
    docs: list[dict[str, Any]] = []
    for who in draw(st.sets(WHO)):
        doc: dict[str, Any] = {"email": draw(SPELLINGS)(who)}
        if (role := draw(ROLES)) is not None:
            doc["role"] = role
        docs.append(doc)
    return by_identity(docs, "email")


def said(records: dict[str, Doc]) -> dict[str, str]:
    """Who has which role, the API's way of comparing."""
    return {doc["email"].lower(): doc.get("role", "") for doc in records.values()}


@given(users(), users())
def test_it_makes_the_one_into_the_other_and_touches_nothing_else(
    wanted: dict[str, Doc], held: dict[str, Doc]
) -> None:
    found = difference(wanted, held, "email")
    after = {who: doc for who, doc in held.items() if who not in found.leavers}
    after |= found.adds | found.changes
    assert said(after) == said(wanted)
    untouched = set(held) - set(found.leavers) - set(found.changes)
    assert all(said(held)[who] == said(wanted)[who] for who in untouched)
    assert not set(found.adds) & set(held)
    assert all(said(held)[who] != said(wanted)[who] for who in found.changes)
    assert found.leavers.keys() == held.keys() - wanted.keys()


@given(users(), users())
def test_it_is_empty_exactly_if_both_say_the_same(wanted: dict[str, Doc], held: dict[str, Doc]) -> None:
    assert bool(difference(wanted, held, "email")) == (said(wanted) != said(held))


def test_a_leaver_keeps_the_spelling_of_the_api() -> None:
    held = by_identity([{"email": "Ada@Example.com"}], "email")
    assert difference({}, held, "email") == Difference(
        leavers={"ada@example.com": {"email": "Ada@Example.com"}}
    )
