"""Traces, where they are turned on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge import config
from bridge.core.errors import ConfigError
from bridge.kafka.trace_parents import trace_parents
from bridge.telemetry.tracing import OFF, Tracing


@asynccontextmanager
async def tracing(chosen: config.Tracing) -> AsyncIterator[Tracing]:
    """For as long as the block lasts; its end waits some seconds for what is not exported yet.

    Raises:
        ConfigError: they are turned on, and the libraries for them are not there.
    """
    if not chosen.enabled:
        yield OFF
        return
    try:
        from bridge.telemetry import spans
    except ImportError as error:
        raise ConfigError(
            f"tracing.enabled needs libraries that are not here ({error.name}); "
            "pip install 'productiv-bridge[tracing]'"
        ) from None
    provider = spans.provider(chosen.endpoint, chosen.sample_ratio, chosen.service_name)
    try:
        yield spans.Spans(provider, trace_parents)
    finally:
        await asyncio.to_thread(spans.close, provider)
