"""The loop Kafka → API: records reach the API or the dead letters, and offsets follow."""

from typing import Any

import pytest
from structlog.contextvars import get_contextvars

from bridge.core.flood_guard import FloodLimits
from bridge.core.outcome import Accepted, Outcome, Rejected
from tests.core.batches import DOWN
from tests.core.records import limits
from tests.stand_ins import NOISE, Setting, at_once, thing

pytestmark = pytest.mark.anyio


# -- ordinary days -------------------------------------------------------------------------------------------


async def test_records_go_from_the_topic_to_the_api_and_offsets_follow() -> None:
    setting = Setting(at_once(), partitions=(0, 1))
    setting.topic.produce(*(thing(n) for n in range(20)))
    setting.topic.produce(*(thing(n, "b") for n in range(10)), partition=1)
    async with setting.running():
        await setting.until(lambda: setting.topic.committed == {0: 20, 1: 10})
        assert sorted(setting.api.accepted) == [("a", n) for n in range(20)] + [("b", n) for n in range(10)]
        assert setting.sink.lag == 0
    assert setting.topic.closed
    assert setting.engine.books.balance(0)


async def test_what_the_broker_has_is_not_committed_again() -> None:
    setting = Setting(at_once())
    setting.topic.produce(thing(1))
    async with setting.running():
        await setting.until(lambda: setting.topic.committed == {0: 1})
        polls = len(setting.topic.limits)
        await setting.until(lambda: len(setting.topic.limits) > polls + 5)
    assert [commit for commit in setting.topic.commits if commit == {0: 1}] == [{0: 1}]


async def test_an_open_batch_goes_when_it_is_of_age_though_nothing_else_happens() -> None:
    setting = Setting(limits(max_age=0.02))
    setting.topic.produce(thing(1), thing(2))
    async with setting.running():
        await setting.until(lambda: setting.api.accepted == [("a", 1), ("a", 2)])
    assert len(setting.api.keys) == 1


async def test_a_batch_goes_again_by_itself_and_with_the_same_key() -> None:
    setting = Setting(at_once())
    setting.api.answer = lambda app, docs: DOWN if len(setting.api.keys) < 4 else Accepted()
    setting.topic.produce(thing(1))
    async with setting.running():
        await setting.until(lambda: setting.api.accepted)
    assert len(setting.api.keys) == 4
    assert len(set(setting.api.keys)) == 1


async def test_what_a_consumer_gives_again_is_sent_once() -> None:
    setting = Setting(at_once())
    setting.topic.produce(thing(1), thing(2))
    async with setting.running():
        await setting.until(lambda: len(setting.api.accepted) == 2)
        setting.topic.give_again(0, 0)
        setting.topic.produce(thing(3))
        await setting.until(lambda: ("a", 3) in setting.api.accepted)
    assert setting.api.accepted == [("a", 1), ("a", 2), ("a", 3)]
    assert setting.engine.books.received == 3


async def test_a_full_sink_reads_nothing_but_keeps_polling() -> None:
    setting = Setting(at_once(max_outstanding_records=3))
    setting.api.open.clear()
    setting.topic.produce(*(thing(n) for n in range(10)))
    async with setting.running():
        await setting.until(lambda: 0 in setting.topic.limits)
        assert setting.topic.limits[0] == 3
        assert setting.engine.books.received == 3
        setting.api.open.set()
        await setting.until(lambda: len(setting.api.accepted) == 10)


async def test_a_sink_that_was_full_waits_for_room_that_is_worth_a_poll() -> None:
    setting = Setting(at_once(max_outstanding_records=48, in_flight=1))
    setting.topic.produce(*(thing(n) for n in range(200)))
    async with setting.running():
        await setting.until(lambda: len(setting.api.accepted) == 200)
    assert not {1, 2} & set(setting.topic.limits)  # less than a sixteenth of the bound


async def test_the_lag_counts_what_is_not_settled() -> None:
    setting = Setting(at_once())
    setting.api.answer = lambda app, docs: DOWN
    setting.topic.produce(*(thing(n) for n in range(10)))
    async with setting.running():
        await setting.until(lambda: setting.sink.lag == 10)
        assert setting.sink.lags == {0: 10}
        assert setting.sink.behind_since == 1.0  # when the first of them came
        setting.api.answer = lambda app, docs: Accepted()
        await setting.until(lambda: setting.sink.behind_since is None)


async def test_what_nobody_reads_after_a_rest_is_as_old_as_the_rest() -> None:
    setting = Setting(at_once(flood=FloodLimits(consecutive=1, share=None, window=1)))
    setting.topic.produce(thing(1))
    async with setting.running():
        await setting.until(lambda: setting.topic.committed == {0: 1})
        polls = len(setting.topic.limits)
        await setting.until(lambda: len(setting.topic.limits) > polls + 3)
        setting.topic.produce(NOISE)
        await setting.until(lambda: setting.engine.tripped and setting.sink.behind_since)
        assert setting.sink.behind_since == 500.0


async def test_what_is_done_for_a_batch_is_logged_with_its_stream_and_its_id() -> None:
    setting = Setting(at_once())
    bound: list[dict[str, Any]] = []

    def answer(app: str, docs: object) -> Outcome:
        bound.append(get_contextvars())
        return Accepted()

    setting.api.answer = answer
    setting.topic.produce(thing(1), thing(2))
    async with setting.running():
        await setting.until(lambda: setting.settled)
    assert bound == [{"stream": "things", "batch": key} for key in setting.api.keys]


# -- the schema registry -------------------------------------------------------------------------------------


async def test_without_the_schema_registry_the_same_records_are_decoded_again_later() -> None:
    setting = Setting(at_once())
    setting.decoder.registry_away = True
    setting.topic.produce(*(thing(n) for n in range(3)))
    async with setting.running():
        await setting.until(lambda: len(setting.decoder.seen) > 3)
        assert setting.engine.books.received == 0
        assert set(setting.topic.limits[1:]) == {0}  # nothing more is read meanwhile
        setting.topic.produce(thing(3))
        setting.decoder.registry_away = False
        await setting.until(lambda: len(setting.api.accepted) == 4)
    three = [(0, 0), (0, 1), (0, 2)]
    *again, last = setting.decoder.seen
    assert again == [three] * len(again)
    assert last == [(0, 3)]
    assert setting.dead_letters.records == []
    assert setting.topic.committed == {0: 4}


async def test_records_that_wait_for_the_registry_go_with_their_partition() -> None:
    setting = Setting(at_once(), partitions=(0, 1))
    setting.decoder.registry_away = True
    setting.topic.produce(thing(1))
    setting.topic.produce(thing(2), partition=1)
    async with setting.running():
        await setting.until(lambda: setting.decoder.seen)
        setting.topic.lose(1)
        await setting.until(lambda: setting.decoder.seen[-1] == [(0, 0)])
        setting.decoder.registry_away = False
        await setting.until(lambda: setting.settled)
    assert setting.api.accepted == [("a", 1)]


async def test_it_stops_without_the_registry_and_commits_nothing() -> None:
    setting = Setting()
    setting.decoder.registry_away = True
    setting.topic.produce(thing(1))
    async with setting.running():
        await setting.until(lambda: setting.decoder.seen)
    assert setting.topic.closed
    assert setting.topic.committed == {}


# -- dead letters --------------------------------------------------------------------------------------------


async def test_what_the_dead_letter_topic_has_not_got_is_outstanding() -> None:
    setting = Setting(at_once())
    setting.dead_letters.open.clear()
    setting.topic.produce(thing(0), NOISE, thing(2), thing(3))
    async with setting.running():
        await setting.until(lambda: len(setting.api.accepted) == 3 and setting.topic.committed == {0: 1})
        assert setting.engine.offsets.outstanding == 1
        assert setting.engine.books.balance(1)
        setting.dead_letters.open.set()
        await setting.until(lambda: setting.topic.committed == {0: 4})
    [dead] = setting.dead_letters.records
    assert dead.reason == "undecodable"
    assert setting.engine.books.dead_lettered == 1
    assert [(kind.reason, kind.records) for kind in setting.sink.dead_letters.newest] == [("undecodable", 1)]


async def test_what_the_api_rejects_goes_to_the_dead_letters() -> None:
    setting = Setting(limits(max_records=8))
    setting.api.answer = lambda app, docs: (
        Rejected(400, "bad request") if any(doc["id"] == 5 for doc in docs) else Accepted()
    )
    setting.topic.produce(*(thing(n) for n in range(8)))
    async with setting.running():
        await setting.until(lambda: setting.settled)
    [dead] = setting.dead_letters.records
    assert (dead.origin.offset(), dead.reason, dead.status) == (5, "rejected", 400)
    assert len(setting.api.accepted) == 7
    assert setting.topic.committed == {0: 8}
