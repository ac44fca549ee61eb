"""What the commands work with, each with clients of its own."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bridge import config
from bridge.core.errors import ConfigError
from bridge.kafka.in_doubt import InDoubt, Resolver
from bridge.reconcile.connect import connected
from bridge.reconcile.reconciler import Reconciler
from bridge.streams import SINKS
from bridge.telemetry.metrics import Metrics
from bridge.wiring.apps import with_app_ids
from bridge.wiring.clients import api_client
from bridge.wiring.topics import journal_format, sink_topics, topic_decoder


@asynccontextmanager
async def reconciler(settings: config.Settings, stream: str, app: str) -> AsyncIterator[Reconciler]:
    """A reconciler of one app (id) with clients of its own, for a command.

    Raises:
        BridgeError: something is wrong with the configuration, the topic or a schema, or Kafka is away.
    """
    settings.productiv.require_credentials()
    topic = sink_topics(settings, [stream])[stream]
    settings = await with_app_ids(settings)
    decoder = topic_decoder(settings, topic)
    async with (
        api_client(settings, Metrics(time.time).request) as client,
        connected(settings, SINKS[stream], topic, decoder, client, [app]) as made,
    ):
        yield made


def in_doubt(
    settings: config.Settings, stream: str, keep: bool, kafka: Mapping[str, Any] | None = None
) -> InDoubt:
    """The records in doubt of a stream; `keep` keeps their content, `kafka` are librdkafka's settings.

    Raises:
        ConfigError: the stream has none, as it may be sent twice.
    """
    topic = sink_topics(settings, [stream])[stream]
    if SINKS[stream].resend_safe or topic.in_doubt is None:
        raise ConfigError(f"{stream} may be sent twice, so none of its records are ever in doubt")
    kafka, journal = kafka or settings.kafka.client_settings(), settings.kafka.journal_topic
    return InDoubt(kafka, topic.in_doubt.topic, journal, journal_format(settings, topic), keep)


def resolver(settings: config.Settings, stream: str) -> Resolver:
    """What decides about the records in doubt of a stream."""
    form = journal_format(settings, sink_topics(settings, [stream])[stream])
    return Resolver(settings.kafka.client_settings(), settings.kafka.journal_topic, form)
