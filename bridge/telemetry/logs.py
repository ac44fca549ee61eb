"""Logging: one line per thing that happens, as JSON or for a terminal, on standard error."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, WrappedLogger

from bridge.core.redact import REDACTED, names_a_secret, redact
from bridge.telemetry.repetition import Repetition

LogFormat = Literal["json", "console"]


def configure(
    log_format: LogFormat, level: str, repeat_seconds: float = 0.0, worker: int | None = None
) -> None:
    """Sends log lines to standard error, also those of libraries; `level` is a name such as `info`.

    Of an event that may come with each try, one is written in so many seconds for each stream. With `worker`,
    its number, each line bears that.
    """
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    own = {} if worker is None else {"worker": worker}

    def with_worker(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, **own}

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            with_worker,
            structlog.processors.add_log_level,
            Repetition(repeat_seconds, time.monotonic),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # A line and its end in one write: workers share standard error, and it may be unbuffered.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger().addHandler(_STDLIB)  # once: adding it again does nothing


def librdkafka_logger() -> logging.Logger:
    """Where the Kafka clients write: their lines join ours as `librdkafka` events."""
    logger = logging.getLogger("librdkafka")
    logger.addHandler(_STDLIB)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)  # lets all pass: the level of the bridge's own lines decides
    return logger


class _ToStructlog(logging.Handler):
    """Makes an event of each line that a library logs: named after its logger, the line as its message."""

    # The levels that structlog knows; a library may log between them.
    LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)

    def emit(self, record: logging.LogRecord) -> None:
        level = next((known for known in self.LEVELS if record.levelno >= known), logging.DEBUG)
        cause = {"exc_info": record.exc_info} if record.exc_info else {}
        structlog.get_logger(record.name).log(level, record.name, message=record.getMessage(), **cause)


_STDLIB = _ToStructlog()


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The last line of defence: no address, token or signed URL leaves in a log line, whoever logged it."""
    return {key: _redacted(value, key) for key, value in event.items()}


def _redacted(value: Any, name: str = "") -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str() | bytes() if names_a_secret(name):
            return REDACTED
        case str():
            return redact(value)
        case Mapping():
            return {redact(str(key)): _redacted(item, str(key)) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted(item, name) for item in value]
        case _:  # an exception, bytes, anything: as the renderer would show it
            return redact(repr(value))
