"""Rows become records: whatever comes, nothing raises and nothing is lost."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.shape import JSON, MOMENT, NUMBER, TEXT, WHOLE, Form, ListOf, Misfit, Object

INNER = Object({"text": TEXT, "numbers": ListOf(NUMBER)})
FORM = Object(
    {
        "text": TEXT,
        "whole": WHOLE,
        "number": NUMBER,
        "moment": MOMENT,
        "json": JSON,
        "object": INNER,
        "objects": ListOf(INNER),
    }
)
# What the parser of answers can make: numbers beyond 64 bits are fractions there.
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
moments = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat())
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts | moments,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts | st.sampled_from([*FORM.fields, "extra"]), inner, max_size=4)
    ),
)
fitting = st.fixed_dictionaries(
    {},
    optional={
        "text": texts,
        "whole": numbers,
        "number": numbers,
        "moment": moments,
        "json": anything,
        "object": st.fixed_dictionaries({}, optional={"text": texts | numbers, "numbers": anything}),
        "objects": st.lists(
            st.fixed_dictionaries({"more": anything}, optional={"text": texts, "numbers": st.lists(numbers)})
        ),
    },
)


def came(form: Form, value: Any) -> Any:
    """What a record says that the row was, apart from nulls."""
    if isinstance(form, Object):
        extra = {name: json.loads(text) for name, text in value.get("extra", {}).items()}
        known = {name: came(form.fields[name], each) for name, each in value.items() if name != "extra"}
        assert not extra.keys() & known.keys()
        return extra | known
    if isinstance(form, ListOf):
        return [came(form.form, each) for each in value]
    return json.loads(value) if form is JSON else value


def meant(form: Form, value: Any) -> Any:
    """What a row says, in the units and without the nulls of a record; all that does not fit as it came."""
    if isinstance(form, Object) and isinstance(value, dict):
        return {
            name: meant(form.fields[name], each) if fits(form.fields.get(name), each) else each
            for name, each in value.items()
            if each is not None
        }
    if isinstance(form, ListOf):
        return [meant(form.form, each) for each in value]
    if form is MOMENT:
        since = datetime.fromisoformat(value) - datetime(1970, 1, 1, tzinfo=UTC)
        return pytest.approx(since / timedelta(milliseconds=1), abs=0.6)
    return value


def fits(form: Form | None, value: Any) -> bool:
    if form is None:
        return False
    try:
        form.read(value)
    except Misfit:
        return False
    return True


@given(st.dictionaries(texts, anything, max_size=4) | fitting)
@settings(max_examples=500)
def test_nothing_is_lost(row: dict[str, Any]) -> None:
    row = orjson.loads(orjson.dumps(row))
    record = FORM.read(row)
    assert came(FORM, record) == meant(FORM, row)


@given(anything)
def test_a_record_has_the_types_of_its_form(value: Any) -> None:
    record = FORM.read(dict.fromkeys(FORM.fields, value))
    types = {"text": str, "whole": int, "number": float, "moment": int, "json": str, "object": dict}
    for name, kind in types.items():
        assert type(record.get(name, kind())) is kind
    assert -(2**63) <= record.get("whole", 0) < 2**63
    assert all(type(each) is str for each in record.get("extra", {}).values())


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("text", "a", "a"),
        ("whole", 2**63 - 1, 2**63 - 1),
        ("number", 3, 3.0),
        ("moment", "1970-01-01T01:00:00.5+01:00", 500),
        ("json", {"a": [1, None]}, '{"a":[1,null]}'),
        ("object", {"text": "a", "more": 1}, {"text": "a", "extra": {"more": "1"}}),
        ("objects", [{"text": 1}], [{"extra": {"text": "1"}}]),
    ],
)
def test_what_fits(name: str, value: object, read: object) -> None:
    assert FORM.read({name: value}) == {name: read}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 1),
        ("whole", True),
        ("whole", 1.0),
        ("whole", 2**63),
        ("number", False),
        ("number", 2**53 + 1),  # a float would be another number
        ("moment", "2026-01-01T00:00:00"),  # whose clock?
        ("moment", 1767225600000),
        ("moment", "yesterday"),
        ("object", []),
        ("objects", [{}, 1]),
        ("objects", {}),
        ("unknown", "a"),
        ("extra", {"a": 1}),
    ],
)
def test_what_does_not_fit_is_kept_as_it_came(name: str, value: object) -> None:
    assert FORM.read({name: value}) == {"extra": {name: orjson.dumps(value).decode()}}


def test_nulls_say_nothing() -> None:
    assert FORM.read({"text": None, "unknown": None, "extra": None}) == {}


@pytest.mark.parametrize("name", ["json", "text", "unknown"])
def test_what_is_nested_too_deeply_is_told(name: str) -> None:
    deep: Any = 0
    for _ in range(1000):
        deep = [deep]
    told = '"nested too deeply to be kept"'
    assert FORM.read({name: deep}) == ({name: told} if name == "json" else {"extra": {name: told}})
    assert FORM.read({"object": {"more": deep}}) == {"object": {"extra": {"more": told}}}


def test_a_form_that_is_no_object_of_fields_refuses() -> None:
    with pytest.raises(Misfit):
        FORM.read([])
