"""Validation in bulk ends early, and words what is wrong where no example of a stream can show it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NoReturn

import pytest
from pydantic import Field
from typing_extensions import TypedDict

from bridge.kafka.refusal import Refusal
from bridge.kafka.validation import Validator
from tests.kafka.records import GOOD, GOOD_DOC, USAGE


class Unread(Mapping[str, Any]):
    """A record that must not be looked at."""

    def __getitem__(self, _: str) -> NoReturn:
        pytest.fail("looked at a record after a bad one")

    def __iter__(self) -> Iterator[str]:
        return iter(self["any"])

    def __len__(self) -> int:
        return 1


def test_a_chunk_is_judged_by_its_first_bad_record() -> None:
    """So a chunk of nothing but noise does not build a list of all that is wrong with it."""
    with pytest.raises(Refusal):
        Validator(USAGE.record).many([GOOD, {}, Unread()])


def test_a_chunk_of_good_records_comes_back_as_documents() -> None:
    assert Validator(USAGE.record).many([GOOD, {**GOOD, "more": 1}]) == [GOOD_DOC] * 2


class Anything(TypedDict, total=False):
    share: Annotated[float, Field(ge=0, le=1)]
    notes: dict[str, int]
    kind: Annotated[str, Field(min_length=2, description="a kind")]


@pytest.mark.parametrize(
    ("record", "detail"),
    [
        ({"share": 1.5}, "share 1.5 is not allowed"),
        ({"share": -1}, "share -1 is not allowed"),
        ({"notes": {"ada@example.com": "secret"}}, "notes is not allowed"),
        ({"notes": [1]}, "notes is a list"),
        ({"kind": "a"}, "kind is not allowed; send a kind"),
        ({"kind": ""}, "kind is empty; send a kind"),
        ({"kind": b"\xff\xff"}, "kind is not UTF-8 text; send a kind"),
    ],
)
def test_other_fields_than_those_of_today_are_named_without_their_values(record: Any, detail: str) -> None:
    with pytest.raises(Refusal) as refused:
        Validator(Anything).one(record)
    assert refused.value.detail == detail
    assert refused.value.field == detail.split()[0]


def test_required_are_the_fields_without_which_nothing_goes() -> None:
    assert Validator(USAGE.record).required == ["timestamp", "email", "eventName"]
    assert Validator(Anything).required == []
