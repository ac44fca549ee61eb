"""What traces tell, by the SDK's own exporter into memory."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id
from structlog.contextvars import get_contextvars

from bridge.core.batcher import Batch
from bridge.core.outcome import Accepted, Outcome, Unavailable
from bridge.core.record import Origin
from bridge.core.stream import Operation
from bridge.telemetry.spans import Spans
from bridge.telemetry.tracing import OFF
from tests.core.records import engine, limits, run_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
OPERATION = Operation.PUBLISH_USERS


class Traced:
    """Tracing into memory, of records with these headers."""

    def __init__(self, *parents: str, sampler: Sampler = ALWAYS_ON) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=sampler)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.asked: list[int] = []
        self.spans = Spans(provider, lambda origins: self._parents(origins, parents))

    def _parents(self, origins: Sequence[Origin], parents: Sequence[str]) -> Sequence[str]:
        self.asked.append(len(origins))
        return parents

    @property
    def ended(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


def batch() -> Batch:
    made = engine(limits(2))
    made.receive(run_of(2), 0.0)
    taken = made.take(0.0)
    assert taken is not None
    return taken


def test_a_batch_is_a_span_linked_to_the_traces_of_its_records() -> None:
    traced, sent = Traced(PARENT, "no header of the kind", PARENT.replace("4bf9", "5bf9")), batch()
    with traced.spans.batch("usage", sent) as told:
        told("accepted")
    [span] = traced.ended
    assert (span.name, span.kind, span.parent) == ("batch usage", SpanKind.CONSUMER, None)
    assert [format_trace_id(link.context.trace_id) for link in span.links] == [TRACE, f"5{TRACE[1:]}"]
    assert span.attributes == {
        "bridge.stream": "usage",
        "bridge.batch": sent.id,
        "bridge.app": sent.app,
        "bridge.attempt": 1,
        "messaging.batch.message_count": 2,
        "bridge.outcome": "accepted",
    }
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Accepted(), None),
        (Unavailable("ann@example.com is away", 503), 503),
        (Unavailable("no connection"), None),
    ],
)
def test_a_request_is_a_span_within_that_of_its_batch(outcome: Outcome, status: int | None) -> None:
    traced = Traced()
    with traced.spans.batch("usage", batch()) as told:
        traced.spans.request(OPERATION, outcome, 2.5)
        told(outcome.label)
    request, whole = traced.ended
    assert request.parent is not None
    assert whole.context is not None
    assert request.parent.span_id == whole.context.span_id
    assert (request.name, request.kind) == ("request publish_users", SpanKind.CLIENT)
    assert (request.end_time or 0) - (request.start_time or 0) == 2_500_000_000
    assert (request.attributes or {}).get("http.response.status_code") == status
    good = isinstance(outcome, Accepted)
    for span in (request, whole):
        assert (span.status.status_code, span.status.description) == (
            (StatusCode.UNSET, None) if good else (StatusCode.ERROR, "unavailable")
        )


def test_a_request_of_nobody_is_none() -> None:
    traced = Traced()
    traced.spans.request(OPERATION, Accepted(), 0.1)
    assert traced.ended == []


def test_what_is_written_in_a_round_says_which_trace_it_belongs_to() -> None:
    traced = Traced()
    with traced.spans.round("audit_events") as told:
        headers = dict(traced.spans.headers())
        told("throttled")
    [span] = traced.ended
    assert span.context is not None
    assert (span.name, span.status.description) == ("round audit_events", "throttled")
    assert headers["traceparent"].decode().split("-")[1] == format_trace_id(span.context.trace_id)
    assert traced.spans.headers() == []


def test_log_lines_bear_the_trace() -> None:
    traced = Traced()
    with traced.spans.batch("usage", batch()):
        bound = get_contextvars()
    assert traced.ended[0].context is not None
    assert bound == {"trace_id": format_trace_id(traced.ended[0].context.trace_id)}
    assert get_contextvars() == {}


def test_a_batch_that_is_not_sampled_looks_at_no_record() -> None:
    traced = Traced(PARENT, sampler=ALWAYS_OFF)
    with traced.spans.batch("usage", batch()) as told:
        traced.spans.request(OPERATION, Accepted(), 0.1)
        told("accepted")
        assert "trace_id" not in get_contextvars()
    assert (traced.ended, traced.asked) == ([], [])


def test_what_a_defect_says_is_not_in_its_span() -> None:
    """It may quote a record."""
    traced = Traced()
    with pytest.raises(ValueError, match="ann"), traced.spans.batch("usage", batch()):
        raise ValueError("ann@example.com")
    [span] = traced.ended
    assert (span.events, span.status.description) == ((), None)


def test_turned_off_it_tells_nobody() -> None:
    with OFF.batch("usage", batch()) as told, OFF.round("audit_events") as also:
        told("accepted")
        also("done")
        OFF.request(OPERATION, Accepted(), 0.1)
        assert OFF.headers() == []


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout.strip()


def test_turned_off_nothing_of_it_is_imported() -> None:
    code = "import sys, bridge.cli; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    assert python(code) == "[]"


def test_without_its_libraries_it_says_how_to_get_them() -> None:
    code = """
import asyncio, sys
sys.modules["opentelemetry.sdk.trace"] = None
from bridge import config
from bridge.core.errors import ConfigError
from bridge.wiring.tracing import tracing
async def main():
    async with tracing(config.Tracing(enabled=True)):
        pass
try:
    asyncio.run(main())
except ConfigError as error:
    print(error)
"""
    assert "pip install 'productiv-bridge[tracing]'" in python(code)
