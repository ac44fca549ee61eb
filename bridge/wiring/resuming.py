"""How an operator's order to resume reaches the processes that the flood guard has stopped: through Kafka."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from bridge import config
from bridge.core.errors import BridgeError, ConfigError
from bridge.kafka.create_topics import create_memory
from bridge.kafka.fenced_producer import FencedProducer
from bridge.kafka.resume_orders import ResumeOrders, resume_order
from bridge.sink import Sink
from bridge.streams import SINKS
from bridge.telemetry.logs import librdkafka_logger

T = TypeVar("T")

log = structlog.get_logger(__name__)
LOOK_SECONDS = 1.0  # at a variable: whether the stream is stopped
ASK_SECONDS = 2.0  # at Kafka: whether a stopped one may go on


def order_resume(settings: config.Settings, streams: Iterable[str], reason: str) -> None:
    """Orders these sinks to go on, in all processes that the flood guard has stopped by now.

    Raises:
        ConfigError: one of them is no sink.
        BridgeError: Kafka does not take the order.
    """
    if unknown := [name for name in streams if name not in SINKS]:
        raise ConfigError(f"{unknown[0]!r} is no stream to the API; those are {', '.join(SINKS)}")
    kafka, topic = settings.kafka.client_settings(), settings.kafka.decisions_topic
    if settings.kafka.create_topics:
        admin = AdminClient({**kafka}, logger=librdkafka_logger())
        create_memory(admin, topic, settings.kafka.replication_factor)
    producer = FencedProducer(kafka, f"{settings.kafka.group_prefix}.resume")
    at = int(time.time() * 1000)
    try:
        producer.open()
        error = producer.write([resume_order(topic, _group(settings, name), reason, at) for name in streams])
    except KafkaException as refused:
        error = refused.args[0].str()
    if error is not None:
        raise BridgeError(f"topic {topic} did not take the order: {error}; try again")


async def resume_when_told(settings: config.Settings, kafka: Mapping[str, Any], sink: Sink) -> None:
    """Lets a sink go on when it was stopped and somebody orders it after that; asks nobody before."""
    name = sink.stream.name
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if not sink.engine.tripped:
            continue
        orders = ResumeOrders(kafka, settings.kafka.decisions_topic, _group(settings, sink.stream.section))
        await _answer(orders.begin, name)
        log.info("resume_awaited", stream=name)
        resumed = False
        while not resumed:
            await asyncio.sleep(ASK_SECONDS)
            resumed = await _answer(orders.given, name)
        await asyncio.to_thread(orders.close)
        sink.resume()


async def _answer(ask: Callable[[], T], stream: str) -> T:
    """What Kafka answers, asked for as long as that takes."""
    while True:
        try:
            return await asyncio.to_thread(ask)
        except BridgeError as error:
            log.warning("resume_not_read", stream=stream, error=str(error))
            await asyncio.sleep(ASK_SECONDS)


def _group(settings: config.Settings, stream: str) -> str:
    return f"{settings.kafka.group_prefix}.{stream}"
