"""What a running bridge says while it looks after its Kafka credentials."""

import asyncio
from typing import Any

from structlog.testing import capture_logs

from bridge.core.errors import ConfigError
from bridge.kafka.rotation import RotatingSettings
from bridge.wiring.credentials import follow_credentials

FIRST = {"sasl.username": "me", "sasl.password": "hunter1"}


def said(*states: dict[str, str] | ConfigError) -> list[dict[str, Any]]:
    """The log while the settings go through these states, the first of them at the start."""

    async def follow() -> None:
        loop, done, left = asyncio.get_running_loop(), asyncio.Event(), list(states)

        def read() -> dict[str, str]:
            if not left:
                loop.call_soon_threadsafe(done.set)  # what the last state led to has been said
            now = left.pop(0) if left else states[-1]
            if isinstance(now, ConfigError):
                raise now
            return now

        task = asyncio.create_task(follow_credentials(RotatingSettings(read), seconds=0))
        await asyncio.wait_for(done.wait(), 20)
        task.cancel()

    with capture_logs() as log:
        asyncio.run(follow())
    return [dict(line) for line in log]


def test_a_password_that_rotates_is_told_without_it() -> None:
    [line] = said(FIRST, FIRST, {**FIRST, "sasl.password": "hunter2"})
    assert line["event"] == "kafka_credentials_rotated"
    assert "hunter" not in str(line)


def test_a_file_that_cannot_be_read_is_told_once() -> None:
    gone = ConfigError("kafka.settings_files.sasl.password: cannot read the file x")
    [line] = said(FIRST, gone, gone, FIRST)
    assert (line["event"], line["error"]) == ("kafka_settings_not_read", str(gone))


def test_what_takes_a_restart_is_told() -> None:
    [line] = said(FIRST, {**FIRST, "ssl.key.password": "hunter2"})
    assert (line["event"], line["settings"]) == ("kafka_settings_changed", ["ssl.key.password"])
    assert "hunter" not in str(line)
