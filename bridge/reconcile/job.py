"""Reconciling as a job of the running bridge: by the clock, in one process of all that run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

import structlog

from bridge.core.errors import BridgeError
from bridge.reconcile.objection import Allowance, Objection
from bridge.reconcile.plan import Tally
from bridge.reconcile.reconciler import Comparison, Interrupted, Reconciler
from bridge.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)


def seconds_to_next(wall: float, interval: float) -> float:
    """Seconds from `wall` (since 1970, UTC) to the next whole multiple of `interval` seconds.

    By the clock and not from the start of the process, so that all processes of a bridge mean the same
    moment, and a process restarted daily has its turn. 24 hours are midnight UTC.
    """
    return interval - wall % interval


class ReconcileJob:
    """Reconciles the records of `apps` (ids; None: all apps on the topic) every `interval` seconds.

    `ours` says whether this process is the one that does it, of all that run. `connect` gives a reconciler
    for one run. `wall` gives seconds since 1970, and `sleep` lets seconds pass.
    """

    def __init__(
        self,
        stream: str,
        connect: Callable[[], AbstractAsyncContextManager[Reconciler]],
        ours: Callable[[], bool],
        apps: Sequence[str] | None,
        allowed: Allowance,
        interval: float,
        metrics: Metrics,
        *,
        wall: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._stream = stream
        self._connect = connect
        self._ours = ours
        self._apps = apps
        self._allowed = allowed
        self._interval = interval
        self._metrics = metrics
        self._wall = wall
        self._sleep = sleep

    async def run(self) -> None:
        """Works until it is cancelled. What goes wrong is told, and tried again next time."""
        while True:
            await self._sleep(seconds_to_next(self._wall(), self._interval))
            if self._ours():
                await self.once()

    async def once(self) -> None:
        """One run over all apps."""
        try:
            async with self._connect() as reconciler:
                apps = await reconciler.apps() if self._apps is None else self._apps
                for app in apps:
                    await self._app(reconciler, app)
        except BridgeError as error:
            self._failed(None, str(error))
        except Exception:
            # A defect of this job must not end the sink beside it, whose task group would end with us.
            log.exception("reconcile_failed", stream=self._stream)
            self._metrics.reconciled(self._stream, "failed")

    async def _app(self, reconciler: Reconciler, app: str) -> None:
        try:
            comparison = await reconciler.compare(app, self._allowed)
            self._metrics.difference(self._stream, comparison.found.counts)
            if comparison.objection is not None:
                self._refused(comparison, comparison.objection)
                return
            tally = await reconciler.apply(comparison)
        except Interrupted as interrupted:
            log.error("reconcile_given_up", stream=self._stream, app=app, reason=str(interrupted))
            self._metrics.reconciled(self._stream, f"refused_{interrupted.reason}")
        except BridgeError as error:
            self._failed(app, str(error))
        else:
            self._done(comparison, tally)

    def _done(self, comparison: Comparison, tally: Tally) -> None:
        log.info(
            "reconciled",
            stream=self._stream,
            app=comparison.app,
            **comparison.found.counts,
            posted=tally.posted,
            deleted=tally.deleted,
            overtaken=tally.overtaken,
            repeated=tally.repeated,
            rejected=tally.rejected,
        )
        self._metrics.reconciled(self._stream, "applied" if comparison.found else "equal")
        self._metrics.reconciled_records(
            self._stream, posted=tally.posted, deleted=tally.deleted, rejected=tally.rejected
        )

    def _refused(self, comparison: Comparison, against: Objection) -> None:
        log.error(
            "reconcile_refused",
            stream=self._stream,
            app=comparison.app,
            **comparison.found.counts,
            reason=against.reason,
            detail=against.sentence,
        )
        self._metrics.reconciled(self._stream, f"refused_{against.reason}")

    def _failed(self, app: str | None, why: str) -> None:
        log.error("reconcile_failed", stream=self._stream, app=app, error=why)
        self._metrics.reconciled(self._stream, "failed")
