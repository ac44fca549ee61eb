"""Logging: one line per thing that happens, as JSON or for a terminal, on standard error."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, WrappedLogger

from bridge.core.redact import redact

LogFormat = Literal["json", "console"]


def configure(log_format: LogFormat, level: str) -> None:
    """Sends the bridge's log lines to standard error; `level` is a name such as `info`."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def librdkafka_logger() -> logging.Logger:
    """Where the Kafka clients write: their lines join ours as `librdkafka` events."""
    logger = logging.getLogger("bridge.librdkafka")
    if not logger.handlers:
        logger.addHandler(_ToStructlog())
        logger.propagate = False
    return logger


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger("librdkafka").log(record.levelno, "librdkafka", message=record.getMessage())


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The last line of defence: no address, token or signed URL leaves in a log line, whoever logged it."""
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}
