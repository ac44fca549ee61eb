"""Settings become topics and clients, and what cannot work is refused with a sentence."""

import asyncio
from typing import Any

import pytest

from bridge import config, wiring
from bridge.core.errors import ConfigError
from bridge.core.outcome import Accepted
from bridge.core.stream import Operation
from bridge.kafka.lifeline import ClientLost
from bridge.kafka.rotation import RotatingSettings
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.wiring.clients import api_client, client_settings
from bridge.wiring.run import Running, _run_until, _stop_when


def test_users_cannot_be_keyed_by_app_alone() -> None:
    """Compaction would keep one user of each app."""
    settings = config.Settings.model_validate({"sinks": {"users": {"app": {"from": "key"}}}})
    with pytest.raises(ConfigError, match=r"sinks\.users\.app: from: key"):
        wiring.sink_topics(settings, ["users"])


def test_only_takes_streams_that_there_are() -> None:
    with pytest.raises(ConfigError, match="'usages' is no stream; the streams are usage, users"):
        wiring.sink_topics(config.Settings(), ["usages"])


def test_a_stream_that_is_turned_off_runs_when_it_is_asked_for() -> None:
    settings = config.Settings.model_validate({"sinks": {"spend": {"enabled": False}}})
    assert "spend" not in wiring.sink_topics(settings)
    assert list(wiring.sink_topics(settings, ["spend"])) == ["spend"]


@pytest.mark.parametrize(("rate", "share"), [(10, 2.5), (None, None)])
def test_replicas_share_the_rate(rate: float | None, share: float | None) -> None:
    productiv = config.Productiv(requests_per_second=rate, replicas=4)
    assert client_settings(productiv).rate == share


@pytest.mark.anyio
@pytest.mark.parametrize("taken", [True, False])
async def test_batches_arrive_compressed_or_not(taken: bool) -> None:
    with SandboxServer(SandboxConfig(gzip=taken)) as sandbox:
        productiv = {
            "api_url": sandbox.url,
            "token_url": f"{sandbox.url}/oauth2/token",
            "client_id": "sandbox",
            "client_secret": "sandbox-secret",
            "compression": "gzip",
        }
        settings = config.Settings.model_validate({"productiv": productiv})
        event = {"timestamp": 1_700_000_000_000, "email": "ann@example.com", "eventName": "opened"}
        statuses = list[str]()
        async with api_client(
            settings, lambda operation, outcome, seconds: statuses.append(outcome.label)
        ) as api:
            outcome = await api.publish(Operation.PUBLISH_USAGE_EVENTS, "app-1", [event], "key")
    assert outcome == Accepted()
    assert statuses == (["accepted"] if taken else ["rejected", "accepted"])


@pytest.mark.parametrize(
    ("sinks", "parks"),
    [
        ({}, {"usage", "users", "spend"}),
        ({"usage": {"park_after_seconds": None}}, {"users", "spend"}),
        ({"usage": {"in_doubt": "resend"}, "spend": {"in_doubt": "resend"}}, {"usage", "users"}),
        ({"org_chart": {"parked_topic": "mine"}}, {"usage", "users", "spend"}),
    ],
)
def test_a_parking_topic_is_for_streams_that_park(sinks: dict[str, object], parks: set[str]) -> None:
    topics = wiring.sink_topics(config.Settings.model_validate({"sinks": sinks}))
    assert {name for name, topic in topics.items() if topic.parked} == parks


def test_a_parking_topic_may_have_another_name() -> None:
    settings = config.Settings.model_validate({"sinks": {"usage": {"parked_topic": "mine"}}})
    parked = wiring.sink_topics(settings)["usage"].parked
    assert parked is not None
    assert (parked.topic, parked.partitions) == ("mine", 12)


def test_a_single_round_that_does_not_end_when_told_is_ended() -> None:
    """A thread may wait for Kafka for ever."""

    async def told() -> None:
        stop = asyncio.Event()
        stop.set()
        await _stop_when(stop, [], deadline=0.0)

    with pytest.raises(TimeoutError):
        asyncio.run(told())


class Work:
    """A stream that settles what it has in flight when it is told to end, unless its Kafka client is lost."""

    def __init__(self, loses: bool) -> None:
        self._loses = loses
        self._told = asyncio.Event()
        self.settled = False

    async def run(self) -> None:
        async with asyncio.TaskGroup():
            if self._loses:
                raise ClientLost
            await self._told.wait()
            self.settled = True

    def stop(self) -> None:
        self._told.set()


@pytest.mark.parametrize("told", [False, True])
def test_when_a_kafka_client_is_lost_the_others_settle_what_they_have(told: bool) -> None:
    """Then the process starts anew, unless it was told to end anyway."""
    settings = config.Settings.model_validate({"kafka": {"bootstrap_servers": "127.0.0.1:1"}})
    lost, well = Work(loses=True), Work(loses=False)
    sources: dict[str, Any] = {"workflows": lost, "audit_events": well}

    async def run() -> None:
        stop = asyncio.Event()
        if told:
            stop.set()
        kafka = RotatingSettings(settings.kafka.client_settings)
        async with asyncio.timeout(20):
            await _run_until(stop, Running({}, {}, sources, None), [], [], settings, kafka)

    if told:
        asyncio.run(run())
    else:
        with pytest.raises(ExceptionGroup) as error:
            asyncio.run(run())
        assert error.group_contains(ClientLost)
    assert well.settled
