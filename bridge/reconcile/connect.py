"""Builds a reconciler on real clients, for one run."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial

from bridge import config
from bridge.core.backoff import Backoff
from bridge.core.errors import ConfigError
from bridge.core.stream import SinkStream
from bridge.kafka.deletion_keys import named_app
from bridge.kafka.last_words import LastWords
from bridge.kafka.serde import TopicDecoder
from bridge.kafka.topic_reader import TopicReader
from bridge.kafka.topics import Topic
from bridge.productiv.client import Client
from bridge.productiv.questions import Questions
from bridge.reconcile.reconciler import Reconciler
from bridge.reconcile.topic_side import TopicSide


@asynccontextmanager
async def connected(
    settings: config.Settings,
    stream: SinkStream,
    topic: Topic,
    decoder: TopicDecoder,
    client: Client,
    apps: Collection[str] | None,
) -> AsyncIterator[Reconciler]:
    """A reconciler for these apps (ids; None: all on the topic), connected to Kafka while the context lasts.

    Raises:
        ConfigError: the stream has no deletions, so there is nothing to reconcile.
        BridgeError: the topic does not exist, or Kafka does not answer.
    """
    if stream.deletions is None:
        raise ConfigError(f"{stream.name} has no deletions, so there is nothing to reconcile")
    names, constant = settings.apps.names, topic.app.from_ == "constant"
    # With one app for all, what stands in a key before the slash says nothing.
    words = LastWords(stream, decoder, lambda key: None if constant else named_app(key, names), apps)
    kafka = settings.kafka.client_settings()
    group = f"{settings.kafka.group_prefix}.{stream.name}"
    pause = settings.sinks[stream.name].backoff
    async with TopicSide(topic.topic, lambda: TopicReader(kafka, topic.topic, group), words) as side:
        yield Reconciler(
            stream,
            side,
            partial(Questions(client).held, stream.deletions.listing),
            client,
            Backoff(pause.initial_seconds, pause.max_seconds),
        )


def app_id(settings: config.Settings, app: str) -> str:
    """The Productiv app id of an app given by name or id.

    Raises:
        ConfigError: it is neither, and the configuration takes no other.
    """
    names = settings.apps.names
    if app not in names and app not in names.values() and settings.apps.unknown == "dead_letter":
        raise ConfigError(f"{app!r} is no app of apps.names; those are {', '.join(names)}")
    return names.get(app, app)
