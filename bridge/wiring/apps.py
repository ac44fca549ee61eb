"""The ids of applications that the bridge registered."""

import asyncio
from datetime import UTC, datetime

import structlog
from confluent_kafka.admin import AdminClient

from bridge import config
from bridge.applications import Registration, Registry, Wanted
from bridge.kafka.create_topics import create_memory
from bridge.kafka.registered_apps import RegisteredApps
from bridge.kafka.turn import Turn
from bridge.telemetry.logs import librdkafka_logger
from bridge.wiring.clients import questions

log = structlog.get_logger(__name__)


def remembered_apps(settings: config.Settings) -> RegisteredApps:
    """The memory of the applications that the bridge registered."""
    return RegisteredApps(settings.kafka.client_settings(), settings.apps.topic)


async def with_app_ids(settings: config.Settings, register: bool = False) -> config.Settings:
    """The settings with the ids of registered applications among `apps.names`, whose own entries win.

    With `register`, configured applications that have no id are registered first.

    Raises:
        BridgeError: Kafka or the API does not do its part.
    """
    remembered = await _registry_of_apps(settings).names()
    if register and any(name not in remembered for name in settings.applications):
        wanted = {name: each.told() for name, each in settings.applications.items()}
        remembered |= {each.name: each.app_id for each in await register_apps(settings, wanted)}
    apps = settings.apps.model_copy(update={"names": {**remembered, **settings.apps.names}})
    return settings.model_copy(update={"apps": apps})


async def register_apps(settings: config.Settings, wanted: Wanted) -> list[Registration]:
    """Registers those of the applications that have no id yet.

    Raises:
        BridgeError: Kafka or the API does not do its part.
    """
    if settings.kafka.create_topics:
        await asyncio.to_thread(_create_memory, settings)
    # A client of its own, closed at once: the one that sends batches would keep asking for what its token
    # needs only here.
    async with questions(settings) as productiv:
        return await _registry_of_apps(settings).register(wanted, productiv)


def _registry_of_apps(settings: config.Settings) -> Registry:
    topic, group = settings.apps.topic, f"{settings.kafka.group_prefix}.applications"
    turn = Turn(settings.kafka.client_settings(), topic, group)
    return Registry(remembered_apps(settings), turn, lambda: datetime.now(UTC))


def _create_memory(settings: config.Settings) -> None:
    admin = AdminClient({**settings.kafka.client_settings()}, logger=librdkafka_logger())
    for name in create_memory(admin, settings.apps.topic, settings.kafka.replication_factor):
        log.info("topic_created", topic=name)
