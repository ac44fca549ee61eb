"""What somebody else may write onto the bridge's own topics ends in a sentence, or is passed over."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import orjson
import pytest
from confluent_kafka import Message, Producer
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bridge.core.errors import BridgeError
from bridge.core.journal import Entry, State
from bridge.kafka.decisions import Decisions
from bridge.kafka.in_doubt import InDoubt
from bridge.kafka.journal import KafkaJournal
from bridge.kafka.journal_entries import MAX_RECORDS, JournalFormat, Place, place_of
from bridge.kafka.parked_messages import ParkedMessage
from bridge.kafka.parking import KafkaParking
from bridge.kafka.registered_apps import RegisteredApp, RegisteredApps
from tests.flows.process import eventually
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.mock import MockBroker

FORM = JournalFormat("group", "payments")
OPEN = Entry("b", "crm", 0, ((0, 2), (5, 1)), "digest", State.OPEN, 1)
GOOD = asdict(OPEN)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
CHANGED = st.dictionaries(st.sampled_from(sorted(GOOD)), JSON, max_size=2).map(lambda more: {**GOOD, **more})


@given((CHANGED | JSON).map(orjson.dumps) | st.binary(max_size=20))
@example(orjson.dumps({**GOOD, "runs": [[0, 10**18]]}))
@example(orjson.dumps({**GOOD, "runs": []}))
@example(orjson.dumps({**GOOD, "runs": [[0, -1]]}))
@example(orjson.dumps({**GOOD, "partition": 1}))
def test_any_value_is_an_entry_of_its_partition_or_refused(value: bytes) -> None:
    with suppress(ValueError):
        entry = FORM.entry(0, value)
        assert entry.partition == 0
        assert entry.count >= 1
        assert entry.count <= MAX_RECORDS or entry.state is State.PASSED


MARKED = Entry.mark("the-topic", 0, 10 * MAX_RECORDS, 0)


@pytest.mark.parametrize("entry", [OPEN, MARKED])
def test_an_entry_is_read_as_it_was_written(entry: Entry) -> None:
    assert FORM.entry(0, FORM.entry_value(entry)) == entry


@given(st.binary(max_size=20) | st.text("0123456789/-batchresolved\u0663", max_size=30).map(str.encode))
@example(b"")
@example(b"0")
@example(b"x/batch/b")
@example(b"-1/resolved/7")
@example(b"0/resolved/" + b"9" * 5000)
def test_any_key_is_one_of_ours_or_none(rest: bytes) -> None:
    for key in (rest, b"group/payments/" + rest):
        kind, place = FORM.kind(key), FORM.resolved(key)
        assert kind is None or (kind[1] >= 0 and kind[2])
        assert place is None or (kind is not None and place.partition == kind[1])


def test_keys_are_read_as_they_were_written() -> None:
    assert FORM.kind(FORM.entry_key(3, "b/1")) == ("batch", 3, "b/1")
    assert FORM.resolved(FORM.resolution_key(Place(3, 7))) == Place(3, 7)
    assert FORM.resolved(FORM.entry_key(3, "7")) is None


@pytest.mark.parametrize("offset", [None, "", "x", "-1", "9" * 5000, "\u0663"])
def test_headers_that_name_no_place_name_none(offset: str | None) -> None:
    told = {"partition": "0"} if offset is None else {"partition": "0", "offset": offset}
    assert place_of(told) is None
    assert place_of({"partition": "3", "offset": "7"}) == Place(3, 7)


class Foreign:
    """Somebody who writes onto a topic of the bridge."""

    def __init__(self, kafka: Cluster[MockBroker]) -> None:
        self.settings: Mapping[str, Any] = {"bootstrap.servers": kafka.bootstrap}
        self.topic = kafka.create_topic("own", 1)
        self._producer = Producer(self.settings)

    def put(self, key: bytes | None, value: bytes | None, **headers: str) -> None:
        told: Any = [(f"bridge.{name}", text) for name, text in headers.items()]
        self._producer.produce(self.topic, value, key, 0, headers=told)
        assert self._producer.flush(30) == 0


@pytest.fixture
def foreign(mock_kafka: Cluster[MockBroker]) -> Foreign:
    return Foreign(mock_kafka)


def test_a_journal_that_cannot_be_read_is_not_taken_over_until_somebody_mends_it(foreign: Foreign) -> None:
    foreign.put(None, b"x")
    foreign.put(b"group/payments/junk", b"x")
    foreign.put(FORM.entry_key(0, "b"), FORM.entry_value(OPEN))
    foreign.put(FORM.entry_key(0, "c"), b'{"runs": [[0, 1000000000000000000]]}')

    def refused() -> bool:
        return any("is no entry of the journal" in line.get("error", "") for line in logged)

    async def scene() -> None:
        journal = KafkaJournal(foreign.settings, foreign.topic, FORM)
        taking = asyncio.create_task(journal.take_over([0]))
        await asyncio.to_thread(eventually, refused, "it was refused")
        assert not taking.done()
        foreign.put(FORM.entry_key(0, "c"), None)
        assert await taking == {0: [OPEN]}

    with capture_logs() as logged:
        asyncio.run(asyncio.wait_for(scene(), 60))


LAST = {"last": {"partition": 3, "offset": 7}}


@given((st.dictionaries(st.sampled_from(["last", "app"]), JSON) | JSON).map(orjson.dumps) | st.binary())
@example(orjson.dumps({"last": {"partition": -1, "offset": 7}}))
@example(orjson.dumps({"last": None}))
def test_any_value_is_the_end_of_what_is_parked_or_refused(value: bytes) -> None:
    with suppress(ValueError):
        assert min(asdict(FORM.parked(value)).values()) >= 0


HEADERS = {"topic": b"records", "partition": b"0", "offset": b"7", "timestamp": b"1 2", "key": None}


@given(st.dictionaries(st.sampled_from(sorted(HEADERS)), st.none() | st.binary(max_size=5)))
def test_any_headers_are_those_of_a_parked_record_or_refused(others: dict[str, bytes | None]) -> None:
    message = Message(topic="parked", partition=3, offset=0, value=b"x")
    message.set_headers([(f"bridge.{name}", value) for name, value in {**HEADERS, **others}.items()])
    with suppress(ValueError):
        home = ParkedMessage(message).home
        assert [type(each) for each in home] == [str, int, int]


def test_where_parked_records_end_is_not_guessed_from_what_somebody_else_wrote(foreign: Foreign) -> None:
    parked = foreign.topic
    foreign.put(FORM.parked_key(0, "crm"), orjson.dumps(LAST))
    foreign.put(FORM.parked_key(0, "wiki"), b"[[[")

    def refused() -> bool:
        return any("does not say where parked records end" in line.get("error", "") for line in logged)

    async def scene() -> None:
        parking = KafkaParking(foreign.settings, parked, "group", foreign.topic, FORM)
        await parking.fence([0])
        taking = asyncio.create_task(parking.left([0]))
        await asyncio.to_thread(eventually, refused, "it was refused")
        assert not taking.done()
        foreign.put(FORM.parked_key(0, "wiki"), None)
        assert await taking == {"crm": {3: 7}}

    with capture_logs() as logged:
        asyncio.run(asyncio.wait_for(scene(), 60))


def test_records_and_decisions_of_somebody_else_are_not_in_doubt(foreign: Foreign) -> None:
    foreign.put(None, b"x")
    foreign.put(None, b"x", topic="payments", partition="0", offset="seven")
    foreign.put(None, b"x", topic="payments", partition="0", offset="7", batch="b")
    foreign.put(b"group/payments/0/resolved/seven", b"x")
    foreign.put(b"group/payments/resolved", b"x")
    in_doubt = InDoubt(foreign.settings, foreign.topic, foreign.topic, FORM, keep=False)
    assert [one.place for one in in_doubt.read()] == [Place(0, 7)]
    in_doubt.close()


def test_a_registered_application_that_is_none_is_named_until_it_is_taken_back(foreign: Foreign) -> None:
    board = RegisteredApp("Board", "7", "2026-01-01")
    foreign.put(b"Board", orjson.dumps(asdict(board)))
    foreign.put(b"\xff", b"[[[")
    apps = RegisteredApps(foreign.settings, foreign.topic)
    with pytest.raises(BridgeError, match="offset 1: this is no registered application"):
        apps.read()
    foreign.put(b"\xff", None)
    assert apps.read() == {"Board": board}


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff", b"[]", b'{"action": []}', b'{"action": "replayed", "records": [[1, "2", 3]]}']
    + [
        b'{"action": "replayed", "records": %b}' % records for records in (b"7", b"[[1]]", b"[[1, 2, 1e300]]")
    ],
)
def test_a_decision_that_is_none_is_named(foreign: Foreign, value: bytes) -> None:
    foreign.put(b"other/usage/1/0/7", b"x")
    foreign.put(b"dead/usage/1/0/7", value)
    decisions = Decisions(foreign.settings, foreign.topic, "dead", "usage")
    with pytest.raises(BridgeError, match="this is no decision"):
        decisions.read()
    decisions.close()
