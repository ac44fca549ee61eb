"""Parsed and checked in one step: what comes of it is what comes of two."""

from typing import Annotated, NotRequired

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, StringConstraints
from typing_extensions import TypedDict

from bridge.kafka import direct_json as module
from bridge.kafka import serde
from bridge.kafka.apps import Apps
from bridge.kafka.direct_json import DirectJson, direct_json
from bridge.kafka.refusal import Refusal
from bridge.kafka.serde import TopicDecoder
from bridge.streams import SINKS
from bridge.streams.fields import EPOCH_MILLIS_MAX, EPOCH_MILLIS_MIN
from tests.kafka.records import GOOD, GOOD_DOC, USAGE, decode, json_values, messages, refusals, usage_topic

# What is just within and just beyond each limit, and what the two libraries could take for another thing.
NUMBERS = st.sampled_from(
    [
        EPOCH_MILLIS_MIN - 1,
        EPOCH_MILLIS_MIN,
        EPOCH_MILLIS_MAX,
        EPOCH_MILLIS_MAX + 1,
        1.7e12,
        -0.0,
        2**64,
        True,
    ]
)
TEXTS = st.one_of(
    st.text(max_size=4),
    st.sampled_from([0, 1, 255, 256, 257]).flatmap(lambda n: st.sampled_from(["x" * n, "é" * n, "😀" * n])),
    st.sampled_from(
        ["a@b.c", "a@b.c\n", "A@B.C", "a@b", "a@@b.c", "a@\x1cb.c", "a\u2003@b.c", "a@b.c.", "@b.c"]
    ),
    st.integers(240, 252).map(lambda n: "a" * n + "@b.c"),
)
ANYTHING = (
    NUMBERS | TEXTS | st.none() | st.lists(TEXTS, max_size=2) | st.dictionaries(TEXTS, TEXTS, max_size=2)
)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "timestamp": st.just(GOOD["timestamp"]) | NUMBERS | ANYTHING,
        "email": st.just(GOOD["email"]) | TEXTS | ANYTHING,
        "eventName": st.just(GOOD["eventName"]) | TEXTS | ANYTHING,
        "app": st.just(GOOD["app"]) | ANYTHING,
        "other": ANYTHING,
    },
)


def usage_reader() -> DirectJson:
    found = direct_json(USAGE.record, "app")
    assert found is not None
    return found


@given(st.lists(RECORDS, max_size=3))
def test_one_step_and_two_come_to_the_same(records: list[dict[str, object]]) -> None:
    records = [{**GOOD, **record} if number % 2 else record for number, record in enumerate(records)]
    values = [orjson.dumps(each) for each in records if all(_fits(value) for value in each.values())]
    topic = usage_topic()
    two = TopicDecoder(USAGE, serde.wire(USAGE, topic), Apps(topic.app)).decode(messages(values))
    one = serde.decoder(USAGE, topic).decode(messages(values))
    assert (one.apps, one.docs, one.sizes) == (two.apps, two.docs, two.sizes)
    assert [type(value) for doc in one.docs for value in doc.values()] == [
        type(doc[name]) for doc, said in zip(two.docs, one.docs, strict=True) for name in said
    ]
    assert refusals(one) == refusals(two)


def _fits(value: object) -> bool:
    """Whether orjson can write it."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("unread", [b'"\xff"', b"1e999", b"[" * 900 + b"]" * 900])
def test_a_field_that_is_not_read_is_not_judged_whatever_its_neighbours_are(unread: bytes) -> None:
    value = orjson.dumps(GOOD)[:-1] + b',"other":' + unread + b"}"
    assert decode([value]).docs == decode([value, b"no JSON"]).docs == [GOOD_DOC]


def test_a_text_that_fitted_once_is_known_and_one_that_does_not_never_becomes_so() -> None:
    reader = usage_reader()
    good, bad = json_values(GOOD, {**GOOD, "email": "nobody"})
    for _ in range(2):
        assert reader.many([good, good]) == [GOOD, GOOD]
        with pytest.raises(Refusal):
            reader.many([good, bad])


def test_what_is_remembered_of_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    reader = usage_reader()
    people = json_values(*({**GOOD, "email": f"{number}@example.com"} for number in range(10)))
    for each in people:
        reader.many([each])
        assert len(reader._texts[0]._good) <= 3


def test_the_field_of_the_app_may_be_one_of_the_record() -> None:
    topic = usage_topic(app={"from": "field", "name": "eventName"})
    decoded = serde.decoder(USAGE, topic).decode(messages(json_values(GOOD)))
    assert (decoded.apps, decoded.docs) == ([GOOD["eventName"]], [GOOD_DOC])


class _Optional(TypedDict):
    text: NotRequired[str]


class _Unbounded(TypedDict):
    number: int


class _Other(TypedDict):
    number: Annotated[int, Field(ge=0, le=9, multiple_of=3)]


class _Lower(TypedDict):
    text: Annotated[str, StringConstraints(to_lower=True)]


class _Checked(TypedDict):
    text: Annotated[str, AfterValidator(str.strip)]


@pytest.mark.parametrize("record", [_Optional, _Unbounded, _Other, _Lower, _Checked])
def test_what_it_cannot_say_is_left_to_two_steps(record: type) -> None:
    """A number beyond 64 bits, for one, would be taken and could not be written."""
    assert direct_json(record, None) is None


def test_of_the_streams_only_usage_can_be_read_so() -> None:
    assert [name for name, stream in SINKS.items() if direct_json(stream.record, None)] == ["usage"]
