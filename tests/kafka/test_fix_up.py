"""Records of dead letters are mended in each wire format, checked as the bridge will, or refused in words."""

from decimal import Decimal
from typing import Any

import orjson
import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import ConfigError
from bridge.kafka import serde, topics
from bridge.kafka.avro_schema import SCHEMA_ID_HEADER, load_schema
from bridge.kafka.contents import Contents
from bridge.kafka.fix_up import Edits, FixUp, read_edits
from bridge.kafka.outgoing import OutgoingRecords
from bridge.kafka.refusal import Refusal
from bridge.streams import SINKS
from tests.kafka.records import GOOD

USER = {"app": "crm", "email": "Ada@Example.com", "role": "admin"}
PAYMENT = {"app": "crm", "amount": Decimal("12.50"), "currency": "EUR", "date": "2026-01-31"}


def made(edits: Edits, stream: str = "usage", registry: Any = None, **changes: Any) -> FixUp:
    topic = topics.overridden(topics.load_all()[stream], {"format": "json", **changes})
    sink, names = SINKS[stream], {"CRM": "500123"}
    wire = serde.wire(sink, topic, registry)
    outgoing = OutgoingRecords(sink, topic, wire, names, "pass")
    decoder = serde.decoder(sink, topic, names=names, registry=registry, max_record_bytes=5000)
    return FixUp(edits, sink, Contents(sink, topic, wire, names), wire, outgoing, decoder)


def letter(record: Any, key: bytes | None = b"k", **message: Any) -> Message:
    value = record if isinstance(record, bytes) else orjson.dumps(record, default=str)
    return Message(topic="dead", key=key, value=value, **message)


def edits(stream: str = "usage", /, **texts: list[str]) -> Edits:
    schema = load_schema(topics.load_all()[stream].schema_path)
    told: dict[str, list[str]] = {"renamed": [], "dropped": [], "told": [], **texts}
    return read_edits(**told, schema=schema, fields={*SINKS[stream].record.__annotations__, "app"})


@given(st.dictionaries(st.sampled_from("abcd"), st.integers()), st.data())
def test_fields_are_renamed_then_dropped_then_set(record: dict[str, int], data: Any) -> None:
    name = st.sampled_from("abcd")
    old, new, dropped, told = (data.draw(name) for _ in range(4))
    after = Edits({old: new}, [dropped], {told: -1}).of(record)
    expected = dict(record)
    if old in expected:
        expected[new] = expected.pop(old)
    expected.pop(dropped, None)
    assert after == {**expected, told: -1}


def test_text_becomes_the_type_of_the_field() -> None:
    told = ["timestamp=1700000000000", "app=500123", "eventName=a=b", "email="]
    read = edits(renamed=["mail=email"], dropped=["x"], told=told)
    wanted = {"timestamp": 1_700_000_000_000, "app": "500123", "eventName": "a=b", "email": ""}
    assert read == Edits({"mail": "email"}, frozenset({"x"}), wanted)
    assert not edits()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"told": ["timestmp=1"]}, "no field 'timestmp' of this stream; did you mean 'timestamp'"),
        ({"renamed": ["a=emial"]}, "did you mean 'email'"),
        ({"told": ["timestamp"]}, "'timestamp' is not of the form --set field=value"),
        ({"renamed": ["=email"]}, "'=email' is not of the form --rename old=new"),
    ],
)
def test_slips_are_named(texts: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        edits(**texts)


def test_json_keeps_the_fields_that_the_bridge_does_not_read() -> None:
    before = {**GOOD, "timestamp": 5, "more": [1]}
    mended = made(Edits(set={"timestamp": GOOD["timestamp"]})).mended(letter(before))
    assert mended.before == before
    assert mended.after == orjson.loads(mended.value) == {**GOOD, "more": [1]}


@pytest.mark.parametrize(
    ("record", "reason", "message"),
    [
        (b"\xff\xfe", "undecodable", "not UTF-8"),
        (b"[1]", "undecodable", "not an object"),
        (b"", "undecodable", "no value"),
        ({**GOOD, "email": "nobody"}, "invalid", "email does not have the right form"),
        ({**GOOD, "app": None}, "unknown_app", "field app is missing"),
        ({**GOOD, "more": "x" * 5000}, "too_large", "5000 are allowed"),
    ],
)
def test_what_would_be_refused_again_is_not_mended(record: Any, reason: str, message: str) -> None:
    with pytest.raises(Refusal, match=message) as refusal:
        made(Edits(set={"eventName": "opened"})).mended(letter(record))
    assert refusal.value.reason == reason


def test_the_key_follows_what_it_is_made_of() -> None:
    fix_up = made(Edits(set={"email": "grace@example.com"}), "users")
    assert fix_up.mended(letter(USER, key=b"crm/ada@example.com")).key == b"crm/grace@example.com"
    assert fix_up.mended(letter(USER, key=b"of its own")).key == b"of its own"
    assert fix_up.mended(letter({"app": "crm"}, key=b"crm/grace@example.com")).key == b"crm/grace@example.com"
    assert fix_up.mended(letter(USER, key=None)).key is None


def test_the_app_may_be_in_a_header() -> None:
    app = {"from": "header", "name": "x-app"}
    record = {name: value for name, value in GOOD.items() if name != "app"}
    headers = [("x-app", b"crm"), ("bridge.reason", b"invalid")]
    mended = made(Edits(set={"timestamp": 1_700_000_000_001}), app=app).mended(
        letter(record, headers=headers)
    )
    assert mended.headers == [("x-app", b"crm")]
    with pytest.raises(Refusal, match="header x-app is missing"):
        made(Edits(set={"timestamp": 1_700_000_000_001}), app=app).mended(letter(record))


def test_money_keeps_every_digit() -> None:
    amount = "12345678901234567890.123456789"
    plain = f'{{"app": "crm", "amount": {amount}, "currency": "eur", "date": "2026-01-31"}}'
    mended = made(edits("spend", told=["currency=EUR"]), "spend").mended(letter(plain.encode()))
    assert f'"amount":{amount}'.encode() in mended.value
    mended = made(edits("spend", told=[f"amount={amount}"]), "spend", format="avro").mended(avro_payment())
    assert mended.after["amount"] == Decimal(amount)


def avro_payment() -> Message:
    sink, topic = SINKS["spend"], topics.load_all()["spend"]
    return letter(serde.wire(sink, topic).write(PAYMENT))


def test_avro_with_a_registry_is_framed_anew() -> None:
    """A header of the serializer that wrote the record before would name another schema."""
    registry = serde.registry_client({"url": "mock://fix-up"})
    topic = topics.overridden(topics.load_all()["usage"], {"format": "avro_registry"})
    value = serde.wire(SINKS["usage"], topic, registry).write({**GOOD, "timestamp": 5})
    message = letter(value[5:], headers=[(SCHEMA_ID_HEADER, value[:5]), ("more", b"1")])
    fix_up = made(edits(told=["timestamp=1700000000000"]), registry=registry, format="avro_registry")
    mended = fix_up.mended(message)
    assert mended.headers == [("more", b"1")]
    assert mended.value[:1] == b"\0"
    assert mended.after["timestamp"] == 1_700_000_000_000
