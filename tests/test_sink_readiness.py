"""When a sink is not ready, and how the flood guard stops it until it is resumed."""

import pytest
from structlog.testing import capture_logs

from bridge.core.flood_guard import FloodLimits
from bridge.core.outcome import Accepted, Denied, Rejected
from tests.stand_ins import NOISE, Setting, at_once, thing

pytestmark = pytest.mark.anyio


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


# -- the flood guard -----------------------------------------------------------------------------------------


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
