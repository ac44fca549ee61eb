"""What a sink says in the log of the records that it cannot simply deliver."""

from collections import Counter
from collections.abc import Sequence

import structlog

from bridge.core.batcher import Batch
from bridge.core.flood_guard import Trip
from bridge.core.gate import Finding
from bridge.core.outcome import Outcome
from bridge.core.record import Refused
from bridge.core.stream import SinkStream
from bridge.core.verdicts import Doubt

log = structlog.get_logger(__name__)


class SinkLog:
    """The log lines of one stream; none holds anything of a record."""

    def __init__(self, stream: SinkStream) -> None:
        self._stream = stream
        self._said_tripped = False

    def finding(self, finding: Finding) -> None:
        """Records go out that are odd as a whole, though each is good."""
        log.warning(
            "finding",
            stream=self._stream.name,
            field=finding.field,
            problem=finding.problem,
            records=finding.records,
        )

    def not_accepted(self, batch: Batch, outcome: Outcome) -> None:
        """The API did not take a batch."""
        log.warning(
            "batch_not_accepted",
            stream=self._stream.name,
            app=batch.app,
            batch=batch.id,
            records=len(batch),
            attempts=batch.attempts,
            outcome=outcome.label,
            status=getattr(outcome, "status", None),
            reason=getattr(outcome, "reason", None),
        )

    def in_doubt(self, doubt: Doubt) -> None:
        """Nobody knows what became of a batch."""
        log.error(
            "records_in_doubt",
            stream=self._stream.name,
            app=doubt.batch.app,
            batch=doubt.batch.id,
            records=len(doubt.batch),
            reason=doubt.refused[0].detail,
        )

    def tripped(self, trip: Trip | None, refused: Sequence[Refused] = ()) -> None:
        """Says once that the flood guard has stopped the stream, if it has, and what was refused most."""
        if trip is None or self._said_tripped:
            return
        self._said_tripped = True
        section = self._stream.section
        log.error(
            "flood_guard_tripped",
            stream=self._stream.name,
            limit=trip.limit,
            reason=trip.why,
            refusals=[detail for detail, _ in Counter(one.detail for one in refused).most_common(3)],
            hint=f"mend the cause, then run `productiv-bridge resume {section}`; if the records are bad for "
            f"good, raise sinks.{section}.flood_guard and restart, and they become dead letters",
        )

    def resumed(self) -> None:
        """The stream goes on."""
        self._said_tripped = False
        log.warning("flood_guard_reset", stream=self._stream.name)
