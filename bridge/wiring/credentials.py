"""Looks after the Kafka credentials of a running bridge."""

import asyncio

import structlog

from bridge.core.errors import ConfigError
from bridge.kafka.rotation import LIVE, RotatingSettings

log = structlog.get_logger(__name__)
SECONDS = 5.0


async def follow_credentials(kafka: RotatingSettings, seconds: float = SECONDS) -> None:
    """Takes up credentials that rotate, every so many seconds; says once what cannot be taken up."""
    said = ""
    while True:
        await asyncio.sleep(seconds)
        try:
            changed, trouble = await asyncio.to_thread(kafka.refresh), ""
        except ConfigError as error:
            changed, trouble = set(), str(error)
        if trouble and trouble != said:
            log.warning("kafka_settings_not_read", error=trouble)
        said = trouble
        if changed & LIVE:
            log.info("kafka_credentials_rotated")
        if later := sorted(changed - LIVE):
            log.warning("kafka_settings_changed", settings=later, hint="they count after a restart")
