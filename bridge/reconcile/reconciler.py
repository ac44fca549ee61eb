"""Compares one app after the other, and makes the API hold what the topic says."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import random
from typing import assert_never
from uuid import uuid4

import structlog

from bridge.core.backoff import Backoff
from bridge.core.errors import BridgeError
from bridge.core.outcome import Accepted, Denied, InDoubt, Outcome, Rejected, Throttled, Unavailable
from bridge.core.ports import Api
from bridge.core.record import Doc
from bridge.core.stream import SinkStream
from bridge.reconcile.difference import Difference, by_identity, difference
from bridge.reconcile.objection import Allowance, Objection, Reason, objection
from bridge.reconcile.plan import Item, Plan, Tally, batch_key
from bridge.reconcile.topic_side import TopicSide

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found for an app: `wanted` and `held` are counts, `objection` what speaks against applying."""

    app: str
    wanted: int
    held: int
    found: Difference
    objection: Objection | None


class Reconciler:
    """Works on one stream. `held` asks the API for what it holds of an app.

    `sleep` lets seconds pass, and `draw` gives numbers in [0, 1) for the waits.
    """

    def __init__(
        self,
        stream: SinkStream,
        topic: TopicSide,
        held: Callable[[str], Awaitable[list[Doc]]],
        api: Api,
        backoff: Backoff,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random,
    ) -> None:
        self.stream = stream
        [self._field] = stream.identity
        self._topic = topic
        self._held = held
        self._api = api
        self._backoff = backoff
        self._sleep = sleep
        self._draw = draw
        self._run = uuid4().hex

    async def apps(self) -> list[str]:
        """The apps that the topic has words about.

        Raises:
            BridgeError: the topic cannot be read.
        """
        await self._topic.catch_up()
        return self._topic.apps

    async def compare(self, app: str, allowed: Allowance) -> Comparison:
        """What an app's records on the topic are against those at the API; changes nothing.

        Raises:
            BridgeError: the API or Kafka does not answer.
        """
        held = by_identity(await self._held(app), self._field)
        # The topic second: what the sink put there before is then among what the topic says. The other way
        # round, whoever was hired and delivered in between would look like a leaver.
        await self._topic.catch_up()
        words = self._topic.words(app)
        wanted = {who: word.doc for who, word in words.items() if word.doc is not None}
        found = difference(wanted, held, self._field)
        against = objection(self._topic.facts(app), found, len(held), allowed)
        return Comparison(app, len(wanted), len(held), found, against)

    async def apply(self, comparison: Comparison) -> Tally:
        """Makes up for the difference, however long the API is away; `comparison` must be of this object.

        Raises:
            BridgeError: the API refuses our credentials, or Kafka does not answer. What was done stands,
                and doing it all again does no harm.
            ValueError: there is an objection.
        """
        if comparison.objection is not None:
            raise ValueError("a comparison with an objection is not to be applied")
        app, words = comparison.app, self._topic.words(comparison.app)
        plan = Plan(self.stream, comparison.found, words)
        taken: list[Item] = []
        failures = 0
        while True:
            ends = await self._topic.catch_up()
            if taken:
                plan.accepted(taken, words, ends)
            if refused := self._topic.facts(app).refused:
                # One of them may be about whom we are about to delete.
                plan.leave_rest()
            batch, taken = plan.take(words), []
            if not batch and refused:
                raise Interrupted(refused)
            if not batch:
                return plan.tally
            outcome = await self._send(plan, app, batch)
            match outcome:
                case Accepted():
                    taken, failures = batch, 0
                case Rejected():
                    plan.rejected(batch, outcome)
                    failures = 0
                case Denied(reason=reason):
                    raise BridgeError(f"the API refuses our credentials: {reason}")
                case Throttled() | Unavailable() | InDoubt():
                    plan.again(batch)
                    failures += not isinstance(outcome, Throttled)
                    await self._wait(outcome, failures)
                case _:
                    assert_never(outcome)

    async def _send(self, plan: Plan, app: str, batch: list[Item]) -> Outcome:
        operation = plan.operation(batch)
        docs, key = [item.doc for item in batch], batch_key(self._run, operation, batch)
        outcome = await self._api.publish(operation, app, docs, key)
        if not isinstance(outcome, Accepted):
            log.warning(
                "reconcile_batch_not_accepted",
                stream=self.stream.name,
                app=app,
                records=len(batch),
                outcome=outcome.label,
                status=outcome.status,
                reason=getattr(outcome, "reason", None),
            )
        return outcome

    async def _wait(self, outcome: Throttled | Unavailable | InDoubt, failures: int) -> None:
        """As long as the API asked for, else longer with each failure."""
        asked = outcome.retry_after if isinstance(outcome, Throttled) else None
        await self._sleep(self._backoff.wait(max(failures, 1), self._draw) if asked is None else asked)


class Interrupted(BridgeError):
    """Applying was given up midway, as records came that nobody can read. What was done stands."""

    def __init__(self, refused: int) -> None:
        super().__init__(f"given up midway, as {refused} records came meanwhile that cannot be read")
        self.reason = Reason.UNREADABLE
