"""What a run shows of itself: its operations port, its beat, and whether it has an access token."""

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

import confluent_kafka
import structlog

from bridge import __version__, config
from bridge.core.outcome import Outcome
from bridge.core.stream import Operation
from bridge.productiv.client import Client, OnRequest
from bridge.sink import Sink
from bridge.source import Source
from bridge.telemetry.health import Pulse, health_app, served
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.status.routes import status_routes
from bridge.telemetry.status.watch import Watch

log = structlog.get_logger(__name__)
BEAT_SECONDS = 1.0
Sleep = Callable[[float], Awaitable[None]]


def status_watch(settings: config.Settings) -> Watch:
    """What the status page shows of this process; nothing is watched yet."""
    versions = {
        "productiv-bridge": __version__,
        "Python": platform.python_version(),
        "librdkafka": confluent_kafka.libversion()[0],
        "contract": settings.productiv.contract,
    }
    return Watch(versions, time.time, time.monotonic)


def telling(*listeners: OnRequest) -> OnRequest:
    """Tells each of them of a request."""

    def tell(operation: Operation, outcome: Outcome, seconds: float) -> None:
        for listener in listeners:
            listener(operation, outcome, seconds)

    return tell


@contextmanager
def operations_port(
    http: config.Http, metrics: Metrics, watch: Watch, pulse: Pulse, not_ready: Callable[[], list[str]]
) -> Iterator[str | None]:
    """Serves it while the context lasts, if it is turned on; gives its address."""
    pages = status_routes(lambda: watch.latest, time.monotonic)
    app = health_app(metrics.registry, pulse, not_ready, pages)
    with served(app, http.host, http.port) if http.enabled else nullcontext() as url:
        yield url


async def beat(pulse: Pulse, watch: Watch, sleep: Sleep = asyncio.sleep) -> None:
    """Shows that the loop turns, and what it does. Waits for nobody."""
    while True:
        pulse.beat()
        try:
            watch.beat()
        except Exception:  # what is shown must not end what is done
            log.exception("status_failed")
        await sleep(BEAT_SECONDS)


async def keep_token(
    client: Client, streams: Mapping[str, Sink | Source], watch: Watch, sleep: Sleep = asyncio.sleep
) -> None:
    """Keeps a token at hand, so that readiness says whether we could send."""
    said: dict[str, str] = {}
    while True:
        for name, stream in streams.items():
            failure = await client.ensure_token(stream.stream.operation)
            watch.token(name, failure)
            reason = "" if failure is None else getattr(failure, "reason", "throttled")
            if reason and reason != said.get(name):
                log.warning("no_access_token", stream=name, reason=reason.removeprefix("no access token: "))
            said[name] = reason
        await sleep(BEAT_SECONDS)
