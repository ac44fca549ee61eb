"""A chunk of messages becomes documents and refusals, whatever is in it."""

import tracemalloc

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import ConfigError, SchemaError
from bridge.core.record import Decoded
from bridge.kafka import serde
from tests.kafka.records import (
    GOOD,
    GOOD_DOC,
    USAGE,
    decode,
    json_values,
    message,
    messages,
    refusals,
    usage_topic,
)

GOOD_VALUE = orjson.dumps(GOOD)


def test_a_chunk_keeps_its_order_and_its_columns_together() -> None:
    records = [{**GOOD, "timestamp": 1_700_000_000_000 + i, "app": f"app-{i}"} for i in range(3)]
    decoded = decode(json_values(*records))
    assert [origin.offset() for origin in decoded.origins] == [0, 1, 2]
    assert decoded.apps == ["app-0", "app-1", "app-2"]
    assert decoded.docs == [{**GOOD_DOC, "timestamp": record["timestamp"]} for record in records]
    assert decoded.sizes == [len(value) for value in json_values(*records)]


def test_nothing_in_nothing_out() -> None:
    assert decode([]) == Decoded()


def test_fields_that_the_stream_does_not_declare_are_left_out() -> None:
    assert decode(json_values({**GOOD, "ip": "10.0.0.1", "app2": 5})).docs == [GOOD_DOC]


def test_neighbours_of_a_bad_record_are_delivered() -> None:
    bad = json_values({**GOOD, "timestamp": 1_700_000_000})
    decoded = decode([GOOD_VALUE, *bad, GOOD_VALUE])
    assert [origin.offset() for origin in decoded.origins] == [0, 2]
    assert decoded.docs == [GOOD_DOC] * 2
    assert decoded.apps == ["slack"] * 2
    assert decoded.sizes == [len(GOOD_VALUE)] * 2
    assert [(offset, reason) for offset, reason, _ in refusals(decoded)] == [(1, "invalid")]


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, "undecodable", "the record has no value; send the record, as this stream has no deletions"),
        (b"", "undecodable", "the record has no value; send the record, as this stream has no deletions"),
        (b"{", "undecodable", "the value is not JSON from character 1 on; send one JSON object"),
        (b"opened", "undecodable", "the value is not JSON from character 0 on; send one JSON object"),
        (GOOD_VALUE[:-1], "undecodable", f"the value is not JSON from character {len(GOOD_VALUE) - 1} on"),
        (
            GOOD_VALUE + GOOD_VALUE,
            "undecodable",
            f"the value is not JSON from character {len(GOOD_VALUE)} on",
        ),
        (
            GOOD_VALUE + b"," + GOOD_VALUE,
            "undecodable",
            f"the value is not JSON from character {len(GOOD_VALUE)}",
        ),
        (b'{"timestamp": NaN}', "undecodable", "the value is not JSON from character 14 on"),
        (b'{"email": "a\xff@b.co"}', "undecodable", "the value is not UTF-8 text from byte 12 on"),
        (b'{"email": "\\ud800"}', "undecodable", "the value is not JSON from character 11 on"),
        (b"[" * 100_000, "undecodable", "the value is not JSON from character"),
        (
            b"\0\0\0\0\x01" + GOOD_VALUE,
            "undecodable",
            "its first byte is 0, as if a schema registry's serializer",
        ),
        (b"\xff\xfe" * 500_000, "undecodable", "the value is not UTF-8 text from byte 0 on"),
        (b"\xef\xbb\xbf" + GOOD_VALUE, "undecodable", "the value is not JSON from character 0 on"),
        (GOOD_VALUE.decode().encode("utf-16"), "undecodable", "the value is not UTF-8 text from byte 0 on"),
        (b" " * 5_000_000, "too_large", "the value has 5000000 bytes where 1048576 are allowed"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(value: bytes | None, reason: str, detail: str) -> None:
    decoded = decode([value, GOOD_VALUE])
    assert decoded.docs == [GOOD_DOC]
    ((offset, given_reason, given_detail),) = refusals(decoded)
    assert (offset, given_reason) == (0, reason)
    assert detail in given_detail


def test_a_repeated_field_counts_as_last_written() -> None:
    value = GOOD_VALUE.replace(b'"slack"', b'"slack","app":"zoom"')
    assert decode([value]).apps == ["zoom"]


def test_the_size_limit_takes_what_is_just_long_enough() -> None:
    assert decode([GOOD_VALUE], max_record_bytes=len(GOOD_VALUE)).docs == [GOOD_DOC]
    assert decode([GOOD_VALUE], max_record_bytes=len(GOOD_VALUE) - 1).refused[0].reason == "too_large"


def test_a_chunk_of_long_values_is_never_in_memory_as_a_whole() -> None:
    """As objects, lists of empty objects take twenty times their bytes."""
    bomb = b'{"x":[' + b"{}," * 5000 + b"{}]," + GOOD_VALUE[1:]
    decoder = serde.decoder(USAGE, usage_topic(), max_record_bytes=len(bomb))
    chunk = messages([bomb] * 20)
    tracemalloc.start()
    try:
        decoded = decoder.decode(chunk)
        assert tracemalloc.get_traced_memory()[1] < 100 * len(bomb)
    finally:
        tracemalloc.stop()
    assert [origin.offset() for origin in decoded.origins] == list(range(20))


@given(st.lists(st.integers(0, 5)), st.integers(1, 12))
def test_a_chunk_that_is_cut_comes_through_as_if_it_were_not(lengths: list[int], most: int) -> None:
    values = [b"x" * length for length in lengths]
    parts = [values[part] for part in serde._parts(values, most)]
    assert [value for part in parts for value in part] == values
    assert all(sum(map(len, part)) <= most or len(part) == 1 for part in parts)


PIECES = st.sampled_from(
    [
        GOOD_VALUE,
        GOOD_VALUE[:40],
        GOOD_VALUE[40:],
        b",",
        b"]",
        b"[",
        b"{",
        b"}",
        b"\0",
        b"null",
        b"\n",
        b'"',
        b"",
    ]
)
VALUES = st.one_of(st.none(), st.binary(max_size=30), st.lists(PIECES, max_size=5).map(b"".join))


@given(st.lists(VALUES, max_size=8), st.sampled_from(["json", "avro"]))
def test_a_chunk_is_the_sum_of_its_records(values: list[bytes | None], wire_format: str) -> None:
    """No value, however odd, changes what becomes of its neighbours."""
    decoder = serde.decoder(USAGE, usage_topic(format=wire_format))
    together = decoder.decode(messages(values))
    alone = [decoder.decode([each]) for each in messages(values)]
    assert together.docs == [doc for each in alone for doc in each.docs]
    assert together.apps == [app for each in alone for app in each.apps]
    assert together.sizes == [size for each in alone for size in each.sizes]
    assert refusals(together) == [refusal for each in alone for refusal in refusals(each)]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "other"]), inner),
)


@given(st.lists(VALUES | ANY_JSON.map(orjson.dumps), max_size=6))
def test_every_record_comes_out_once_and_nothing_raises(values: list[bytes | None]) -> None:
    decoded = decode(values)
    offsets = [each.offset() for each in decoded.origins] + [each.origin.offset() for each in decoded.refused]
    assert sorted(offset or 0 for offset in offsets) == list(range(len(values)))
    assert len(decoded.origins) == len(decoded.docs) == len(decoded.apps) == len(decoded.sizes)


def test_a_format_with_a_registry_needs_one() -> None:
    with pytest.raises(ConfigError, match=r"avro_registry of topic productiv\.usage needs a schema registry"):
        serde.decoder(USAGE, usage_topic(format="avro_registry"))


def test_a_schema_that_lacks_the_field_of_the_app_is_refused_at_the_start() -> None:
    topic = usage_topic(format="avro", app={"from": "field", "name": "application"})
    with pytest.raises(SchemaError, match=r"usage\.avsc: lacks the field 'application'"):
        serde.decoder(USAGE, topic)


def test_apps_are_looked_up_in_bulk_and_alone_alike() -> None:
    topic = usage_topic(app={"from": "key"})
    decoder = serde.decoder(USAGE, topic, names={"Slack": "8f14"}, unknown="dead_letter")
    chunk = [message(GOOD_VALUE, 0, b"Slack"), message(GOOD_VALUE, 1, b"Zoom")]
    decoded = decoder.decode(chunk)
    assert decoded.apps == ["8f14"]
    assert refusals(decoded) == [
        (1, "unknown_app", "the record's key holds an app that apps.names of the bridge does not list")
    ]
    assert decoder.decode(chunk[:1]).apps == ["8f14"]
