"""What a run shows of itself, beside its work."""

from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.core.outcome import Accepted, Denied, Outcome
from bridge.core.stream import Operation
from bridge.telemetry.health import Pulse
from bridge.wiring.operations import Sleep, beat, keep_token, telling

pytestmark = pytest.mark.anyio

OPERATION = Operation.PUBLISH_USERS


class Over(Exception):
    """So many seconds have passed."""


def seconds(count: int) -> Sleep:
    """A sleep that takes no time, and ends the test after so many."""
    left = iter(range(count - 1))

    async def sleep(_: float) -> None:
        if next(left, None) is None:
            raise Over

    return sleep


class Watch:
    """Takes what it is told; fails at its first beat."""

    def __init__(self) -> None:
        self.beats = 0
        self.tokens: list[tuple[str, Outcome | None]] = []

    def beat(self) -> None:
        self.beats += 1
        if self.beats == 1:
            raise ValueError("a defect of what is shown")

    def token(self, stream: str, failure: Outcome | None) -> None:
        self.tokens.append((stream, failure))


async def test_a_defect_of_what_is_shown_does_not_end_what_is_done() -> None:
    watch: Any = Watch()
    with capture_logs() as logged, pytest.raises(Over):
        await beat(Pulse(), watch, seconds(3))
    assert watch.beats == 3
    assert [line["event"] for line in logged] == ["status_failed"]


async def test_a_missing_token_is_shown_and_logged_once_for_each_reason() -> None:
    watch: Any = Watch()
    denied = Denied(401, "no access token: the endpoint answered 401")
    answers: list[Outcome | None] = [denied, denied, None, denied]
    left = iter(answers)

    async def ensure_token(operation: Operation) -> Outcome | None:
        assert operation is OPERATION
        return next(left)

    client: Any = SimpleNamespace(ensure_token=ensure_token)
    streams: Any = {"users": SimpleNamespace(stream=SimpleNamespace(operation=OPERATION))}
    with capture_logs() as logged, pytest.raises(Over):
        await keep_token(client, streams, watch, seconds(4))
    assert watch.tokens == [("users", answer) for answer in answers]
    assert [(line["event"], line["reason"]) for line in logged] == [
        ("no_access_token", "the endpoint answered 401")
    ] * 2


def test_all_are_told_of_a_request() -> None:
    told: list[Any] = []
    telling(lambda *a: told.append(("one", *a)), lambda *a: told.append(("other", *a)))(
        OPERATION, Accepted(), 0.5
    )
    assert told == [(who, OPERATION, Accepted(), 0.5) for who in ("one", "other")]
