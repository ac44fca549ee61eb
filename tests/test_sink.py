import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from bridge.core.backoff import Backoff
from bridge.core.engine import EngineLimits
from bridge.core.flood_guard import FloodLimits
from bridge.core.outcome import Accepted, Denied, Outcome, Rejected, Throttled, Unavailable
from bridge.core.record import Decoded
from tests.core.records import limits
from tests.stand_ins import PATIENCE, Message, Setting

pytestmark = pytest.mark.anyio

NEVER = 10**6  # seconds, or records
NOISE = b"\xff noise"
DOWN = Unavailable("connection refused")


def thing(number: int, app: str = "a") -> dict[str, Any]:
    return {"app": app, "id": number}


def at_once(**changes: Any) -> EngineLimits:
    """Each record is a batch, so it goes as soon as it came; retries come after 5 ms."""
    made = limits(max_records=1, **changes)
    return replace(made, send=replace(made.send, backoff=Backoff(0.01, 0.01)))


def settled(setting: Setting) -> bool:
    engine = setting.engine
    return engine.books.received > 0 and engine.offsets.outstanding == 0


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


async def test_what_is_given_up_while_it_is_decoded_is_not_received() -> None:
    """A lost journal takes a partition away between two rebalances."""
    setting = Setting(at_once(), partitions=(0, 1))
    loop, decode = asyncio.get_running_loop(), setting.decoder.decode

    def losing(messages: Sequence[Message]) -> Decoded:
        if {message.partition() for message in messages} == {0, 1}:
            asyncio.run_coroutine_threadsafe(setting.sink.lost([0]), loop).result(PATIENCE)
        return decode(messages)

    setting.decoder.decode = losing  # type: ignore[method-assign]
    setting.topic.produce(thing(1))
    setting.topic.produce(thing(2), partition=1)
    async with setting.running():
        await setting.until(lambda: setting.api.accepted)
    assert setting.api.accepted == [("a", 2)]
    assert setting.engine.books.received == 1


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


async def test_rebalances_are_counted() -> None:
    setting = Setting(at_once(), partitions=(0, 1))

    def counted(event: str) -> float | None:
        labels = {"stream": "things", "event": event}
        return setting.metrics.registry.get_sample_value("bridge_rebalances_total", labels)

    async with setting.running():
        await setting.until(lambda: counted("assigned") == 1)
        setting.topic.revoke(0)
        await setting.until(lambda: counted("revoked") == 1)
        assert counted("lost") is None
        setting.topic.lose(1)
        await setting.until(lambda: counted("lost") == 1)


async def test_what_is_done_for_a_batch_is_logged_with_its_stream_and_its_id() -> None:
    setting = Setting(at_once())
    bound: list[dict[str, Any]] = []

    def answer(app: str, docs: object) -> Outcome:
        bound.append(get_contextvars())
        return Accepted()

    setting.api.answer = answer
    setting.topic.produce(thing(1), thing(2))
    async with setting.running():
        await setting.until(lambda: settled(setting))
    assert bound == [{"stream": "things", "batch": key} for key in setting.api.keys]


# -- readiness -----------------------------------------------------------------------------------------------


async def test_it_is_not_ready_before_it_has_joined_its_group() -> None:
    setting = Setting()
    assert setting.sink.not_ready() == ["has not joined its consumer group"]
    assert setting.sink.kafka_trouble == "it has not joined its consumer group"
    async with setting.running():
        await setting.until(lambda: not setting.sink.not_ready())
        assert setting.sink.kafka_trouble is None


async def test_it_is_not_ready_while_the_api_refuses_the_credentials() -> None:
    setting = Setting(at_once())
    setting.api.answer = lambda app, docs: Denied(401, "wrong client")
    setting.topic.produce(thing(1))
    async with setting.running():
        await setting.until(lambda: setting.sink.not_ready() == ["the API refuses the credentials"])
        setting.api.answer = lambda app, docs: Accepted()
        await setting.until(lambda: not setting.sink.not_ready())
    assert setting.dead_letters.records == []


async def test_the_flood_guard_stops_reading_and_sending_and_says_so_once() -> None:
    setting = Setting(at_once(flood=FloodLimits(consecutive=5, share=None, window=1)))
    setting.topic.produce(*[NOISE] * 5)
    with capture_logs() as logged:
        async with setting.running():
            await setting.until(lambda: setting.engine.tripped)
            setting.topic.produce(thing(1))
            await setting.until(lambda: 0 in setting.topic.limits)
            why = "5 records in a row were refused (limit 5)"
            assert setting.sink.not_ready() == [f"flood guard: {why}"]
            polls = len(setting.topic.limits)
            await setting.until(lambda: len(setting.topic.limits) > polls + 3)
            assert set(setting.topic.limits[polls:]) == {0}
    [told] = [line for line in logged if line["event"] == "flood_guard_tripped"]
    assert (told["limit"], told["reason"], told["refusals"]) == ("consecutive", why, ["it is no JSON"])
    assert "productiv-bridge resume things" in told["hint"]
    assert (setting.dead_letters.records, setting.api.keys) == ([], [])
    assert len(setting.decoder.seen) == 1
    assert setting.engine.books.received == 0
    assert setting.topic.committed.get(0, 0) == 0


async def test_what_could_not_be_read_is_read_again_after_a_resume() -> None:
    setting = Setting(at_once(flood=FloodLimits(consecutive=3, share=None, window=1)))
    setting.topic.produce(NOISE, NOISE, NOISE)
    with capture_logs() as logged:
        async with setting.running():
            for mended in (False, True):
                await setting.until(lambda: setting.engine.tripped)
                setting.decoder.knows_noise = mended
                setting.sink.resume()
                assert not setting.sink.not_ready()
            await setting.until(lambda: setting.topic.committed == {0: 3})
    events = [line["event"] for line in logged if line["event"].startswith("flood_guard")]
    assert events == ["flood_guard_tripped", "flood_guard_reset"] * 2
    assert setting.decoder.seen == [[(0, 0), (0, 1), (0, 2)]] * 3
    assert setting.api.accepted == [("noise", 0), ("noise", 1), ("noise", 2)]
    assert setting.engine.books.balance(0)


async def test_what_the_api_refused_is_sent_again_after_a_resume() -> None:
    setting = Setting(at_once(flood=FloodLimits(consecutive=1, share=None, window=1)))
    setting.api.answer = lambda app, docs: Rejected(404, "unknown app", whole=True)
    setting.topic.produce(*(thing(n) for n in range(4)))
    async with setting.running():
        await setting.until(lambda: setting.engine.tripped and not setting.engine.in_flight)
        setting.api.answer = lambda app, docs: Accepted()
        setting.sink.resume()
        await setting.until(lambda: setting.topic.committed == {0: 4})
    assert sorted(setting.api.accepted) == [("a", n) for n in range(4)]
    assert setting.dead_letters.records == []
    assert setting.engine.books.delivered == 4


async def test_what_waits_for_a_resume_goes_with_its_partition() -> None:
    """Also if that comes back at once: then its records are read again, and must not be there twice."""
    setting = Setting(at_once(flood=FloodLimits(consecutive=2, share=None, window=1)), partitions=(0, 1))
    setting.topic.produce(NOISE)
    setting.topic.produce(NOISE, partition=1)
    async with setting.running():
        await setting.until(lambda: setting.engine.tripped)
        setting.topic.lose(0, 1)
        setting.topic.assign(0)
        await setting.until(lambda: setting.engine.offsets.partitions == {0})
        setting.decoder.knows_noise = True
        setting.sink.resume()
        await setting.until(lambda: setting.topic.committed[0] == 1)
    assert setting.api.accepted == [("noise", 0)]
    assert setting.engine.books.received == 1


async def test_answers_that_come_after_the_guard_has_tripped_do_not_repeat_why() -> None:
    setting = Setting(at_once(flood=FloodLimits(consecutive=1, share=None, window=1)))
    setting.api.open.clear()
    setting.api.answer = lambda app, docs: Rejected(400, "bad request")
    setting.topic.produce(*(thing(n) for n in range(4)))
    with capture_logs() as logged:
        async with setting.running():
            await setting.until(lambda: len(setting.api.keys) == 4)
            setting.api.open.set()
            await setting.until(lambda: setting.engine.in_flight == 0)
    assert [line["event"] for line in logged].count("flood_guard_tripped") == 1
    assert setting.engine.offsets.outstanding + setting.engine.books.handed_over == 4


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
        await setting.until(lambda: settled(setting))
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
        await setting.until(lambda: settled(setting))
    [dead] = setting.dead_letters.records
    assert (dead.origin.offset(), dead.reason, dead.status) == (5, "rejected", 400)
    assert len(setting.api.accepted) == 7
    assert setting.topic.committed == {0: 8}


# -- rebalances ----------------------------------------------------------------------------------------------


async def test_a_partition_is_drained_before_it_goes() -> None:
    """With records in flight, queued and in an open batch."""
    setting = Setting(limits(max_records=4, max_age=NEVER, in_flight=1), partitions=(0, 1))
    setting.api.open.clear()
    setting.topic.produce(*(thing(n) for n in range(10)))
    setting.topic.produce(thing(100), partition=1)
    async with setting.running():
        await setting.until(lambda: setting.api.keys)
        setting.topic.revoke(0)
        setting.api.open.set()
        await setting.until(lambda: setting.engine.offsets.partitions == {1})
        assert setting.topic.committed[0] == 10
        assert setting.engine.books.handed_over == 0
        setting.topic.produce(thing(101), thing(10), partition=1)
    assert len(set(setting.api.accepted)) == len(setting.api.accepted) >= 11


async def test_a_partition_goes_without_waiting_for_what_others_have_under_way() -> None:
    setting = Setting(at_once(), partitions=(0, 1), drain_deadline=NEVER)
    setting.dead_letters.open.clear()
    setting.topic.produce(thing(1))
    setting.topic.produce(NOISE, partition=1)
    async with setting.running():
        await setting.until(lambda: setting.engine.books.received == 2 and setting.api.accepted)
        setting.topic.revoke(0)
        await setting.until(lambda: setting.engine.offsets.partitions == {1})
        assert setting.topic.committed[0] == 1
        setting.dead_letters.open.set()


async def test_a_partition_that_is_lost_is_not_drained_nor_committed() -> None:
    setting = Setting(limits(max_age=NEVER), partitions=(0, 1), commit_interval=NEVER)
    setting.topic.produce(thing(1), thing(2))
    async with setting.running():
        await setting.until(lambda: setting.engine.books.received == 2)
        setting.topic.lose(0)
        await setting.until(lambda: setting.engine.offsets.partitions == {1})
    assert setting.engine.books.handed_over == 2
    assert setting.api.keys == []
    assert 0 not in setting.topic.committed


async def test_a_partition_that_comes_back_is_read_again_from_its_commit() -> None:
    setting = Setting(at_once())
    setting.api.answer = lambda app, docs: Throttled(429, retry_after=NEVER)
    setting.topic.produce(thing(1), thing(2))
    async with setting.running():
        await setting.until(lambda: setting.engine.books.received == 2)
        setting.topic.revoke(0)
        await setting.until(lambda: not setting.engine.offsets.partitions)
        setting.topic.produce(thing(3, "b"))
        setting.api.answer = lambda app, docs: Accepted()
        setting.topic.assign(0)
        await setting.until(lambda: setting.api.accepted == [("b", 3)])
        assert setting.engine.books.received == 5
        assert setting.engine.books.handed_over == 2
        assert setting.topic.committed.get(0, 0) == 0


# -- the end -------------------------------------------------------------------------------------------------


async def test_after_stop_all_that_is_deliverable_is_delivered() -> None:
    """What is open, queued, in flight or on its way to the dead letters when it is told to stop."""
    setting = Setting(limits(max_records=4, max_age=NEVER, in_flight=1))
    setting.api.open.clear()
    setting.dead_letters.open.clear()
    setting.topic.produce(NOISE, *(thing(n) for n in range(10)))
    async with setting.running():
        await setting.until(lambda: setting.api.keys)
        setting.sink.stop()
        setting.api.open.set()
        setting.dead_letters.open.set()
    assert len(setting.api.accepted) == 10
    assert len(setting.dead_letters.records) == 1
    assert setting.topic.committed == {0: 11}
    assert setting.engine.books.handed_over == 0
    assert setting.engine.books.balance(0)


async def test_the_end_does_not_wait_longer_than_the_drain_deadline() -> None:
    setting = Setting(at_once(), drain_deadline=0.01)
    setting.api.open.clear()
    setting.topic.produce(thing(1), thing(2))
    with capture_logs() as logged:
        async with setting.running():
            await setting.until(lambda: len(setting.api.keys) == 2)
    assert setting.api.hung_up == 2
    assert setting.engine.books.handed_over == 2
    assert setting.engine.books.balance(0)
    assert setting.topic.committed.get(0, 0) == 0
    assert "drain_deadline_passed" in [line["event"] for line in logged]


async def passed_deadline(logged: Sequence[Mapping[str, Any]]) -> None:
    while "drain_deadline_passed" not in [line["event"] for line in logged]:  # noqa: ASYNC110
        await asyncio.sleep(0)  # a log line wakes nobody


async def test_at_the_drain_deadline_what_is_under_way_may_end_and_nothing_new_begins() -> None:
    """However often it is tried until then: what is cut off in the middle is in doubt, where that matters."""
    setting = Setting(at_once(in_flight=1), drain_deadline=0.4)
    setting.api.open.clear()
    setting.topic.produce(thing(1), thing(2))
    with capture_logs() as logged:
        async with setting.running():
            await setting.until(lambda: setting.api.keys)
            setting.sink.stop()
            await passed_deadline(logged)
            setting.api.open.set()
    assert setting.api.accepted == [("a", 1)]
    assert setting.api.hung_up == 0
    assert setting.topic.committed == {0: 1}
    assert setting.engine.books.handed_over == 1


async def test_after_the_drain_deadline_the_partitions_that_stay_go_on() -> None:
    setting = Setting(at_once(in_flight=1), partitions=(0, 1), drain_deadline=0.4)
    setting.api.open.clear()
    setting.topic.produce(thing(1), thing(2))
    with capture_logs() as logged:
        async with setting.running():
            await setting.until(lambda: setting.api.keys)
            setting.topic.produce(thing(3, "b"), partition=1)
            await setting.until(lambda: setting.engine.books.received == 3)
            setting.topic.revoke(0)
            await passed_deadline(logged)
            setting.api.open.set()
            await setting.until(lambda: setting.topic.committed == {0: 1, 1: 1})
    assert setting.engine.books.handed_over == 1


async def test_the_end_does_not_wait_for_a_dead_letter_topic_that_is_away() -> None:
    setting = Setting(at_once(), drain_deadline=0.01)
    setting.dead_letters.open.clear()
    setting.topic.produce(thing(0), NOISE, thing(2))
    async with setting.running():
        await setting.until(lambda: len(setting.api.accepted) == 2)
    assert setting.topic.committed == {0: 1}
    assert setting.engine.books.handed_over == 1


async def test_the_end_does_not_wait_for_lanes_that_wait() -> None:
    setting = Setting(at_once(), drain_deadline=NEVER)
    setting.api.answer = lambda app, docs: Throttled(429, retry_after=NEVER) if app == "a" else Accepted()
    setting.topic.produce(thing(1, "b"), thing(2, "a"), thing(3, "b"))
    async with setting.running():
        await setting.until(lambda: setting.engine.waiting)
    assert setting.topic.committed == {0: 1}
    assert setting.engine.books.handed_over == 1


# -- defects -------------------------------------------------------------------------------------------------


async def test_a_defect_while_sending_ends_it() -> None:
    setting = Setting(at_once())

    def fail(app: str, docs: object) -> Accepted:
        raise ZeroDivisionError

    setting.api.answer = fail
    setting.topic.produce(thing(1))
    failure = await setting.run_to_its_failure()
    assert failure.subgroup(ZeroDivisionError) is not None
    assert setting.topic.committed.get(0, 0) == 0


@pytest.mark.parametrize("where", ["decoder", "dead_letters", "topic"])
async def test_a_defect_anywhere_ends_it(where: str) -> None:
    setting = Setting(at_once())
    getattr(setting, where).failure = ZeroDivisionError()
    setting.topic.produce(NOISE)
    failure = await setting.run_to_its_failure()
    assert failure.subgroup(ZeroDivisionError) is not None
    assert setting.topic.committed.get(0, 0) == 0


async def test_a_defect_hangs_up_on_requests_under_way() -> None:
    setting = Setting(at_once())
    setting.api.open.clear()
    setting.topic.produce(thing(1))
    run = asyncio.create_task(setting.sink.run())
    await setting.until(lambda: setting.api.keys)
    setting.topic.failure = ZeroDivisionError()
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(run, PATIENCE)
    assert setting.api.hung_up == 1
