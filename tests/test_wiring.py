"""Settings become topics and clients, and what cannot work is refused with a sentence."""

import asyncio

import pytest

from bridge import config, wiring
from bridge.core.errors import ConfigError
from bridge.wiring.clients import client_settings
from bridge.wiring.run import _stop_when


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


def test_a_single_round_that_does_not_end_when_told_is_ended() -> None:
    """A thread may wait for Kafka for ever."""

    async def told() -> None:
        stop = asyncio.Event()
        stop.set()
        await _stop_when(stop, [], deadline=0.0)

    with pytest.raises(TimeoutError):
        asyncio.run(told())
