"""Traces by OpenTelemetry, which the extra `tracing` brings: to be imported only where they are turned on.

Nothing of a record is in a span but how many there were and the ids of the traces that its producers began.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from bridge import __version__
from bridge.core.batcher import Batch
from bridge.core.outcome import Outcome
from bridge.core.record import Origin
from bridge.core.redact import redact
from bridge.core.stream import Operation
from bridge.telemetry.tracing import Told

EXPORT_SECONDS = 5.0
ENDING_SECONDS = 3.0  # for what has not been exported at the end; the rest is lost
_GOOD = {"accepted", "done"}
_W3C = TraceContextTextMapPropagator()

Parents = Callable[[Sequence[Origin]], Sequence[str]]
"""The `traceparent` headers of some records, each trace once."""


class Spans:
    """A span for each batch, linked to its records' traces, for each round, and for each request of these."""

    def __init__(self, provider: TracerProvider, parents: Parents) -> None:
        self._tracer = provider.get_tracer("productiv-bridge", __version__)
        self._parents = parents

    @contextmanager
    def batch(self, stream: str, batch: Batch) -> Iterator[Told]:
        """As `Tracing` says."""
        with self._span(f"batch {stream}", SpanKind.CONSUMER, stream) as span:
            if span.is_recording():
                span.set_attribute("bridge.batch", batch.id)
                span.set_attribute("bridge.app", redact(batch.app))
                span.set_attribute("bridge.attempt", batch.attempts)
                span.set_attribute("messaging.batch.message_count", len(batch))
                for parent in self._parents(batch.origins):
                    _link(span, parent)
            yield lambda outcome: _end(span, outcome)

    @contextmanager
    def round(self, stream: str) -> Iterator[Told]:
        """As `Tracing` says."""
        with self._span(f"round {stream}", SpanKind.INTERNAL, stream) as span:
            yield lambda result: _end(span, result)

    def request(self, operation: Operation, outcome: Outcome, seconds: float) -> None:
        """As `Tracing` says. Told when it is over, so the client knows nothing of traces."""
        if not get_current_span().is_recording():
            return  # of a command, or of a trace that is not sampled
        now = time.time_ns()
        span = self._tracer.start_span(
            f"request {operation}", kind=SpanKind.CLIENT, start_time=now - int(seconds * 1e9)
        )
        if (status := getattr(outcome, "status", None)) is not None:
            span.set_attribute("http.response.status_code", status)
        _end(span, outcome.label)
        span.end(now)

    def headers(self) -> list[tuple[str, bytes]]:
        """As `Tracing` says."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return [(name, value.encode()) for name, value in carrier.items()]

    @contextmanager
    def _span(self, name: str, kind: SpanKind, stream: str) -> Iterator[Span]:
        # What a defect says may quote a record, so its words stay out.
        told = {"bridge.stream": stream}
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=told, record_exception=False, set_status_on_exception=False
        ) as span:
            context = span.get_span_context()
            ids = {"trace_id": format_trace_id(context.trace_id)} if context.trace_flags.sampled else {}
            with bound_contextvars(**ids):
                yield span


def provider(endpoint: str, sample_ratio: float, service_name: str) -> TracerProvider:
    """One that exports by OTLP over HTTP, in a thread of its own.

    What the receiver does not take in time is lost: at most 2048 spans wait for it.
    """
    made = TracerProvider(
        resource=Resource.create({"service.name": service_name, "service.version": __version__}),
        sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
        shutdown_on_exit=False,
    )
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS)))
    return made


def close(provider: TracerProvider) -> None:
    """Exports what waits, for some seconds at most: a receiver that is away must not hold up the end."""
    thread = threading.Thread(target=provider.shutdown, name="tracing-end", daemon=True)
    thread.start()
    thread.join(ENDING_SECONDS)


def _link(span: Span, parent: str) -> None:
    """Links to the trace that a header names, if it does; `tracestate` is left, as anything may be in it."""
    context = get_current_span(_W3C.extract({"traceparent": parent})).get_span_context()
    if context.is_valid:
        span.add_link(context)


def _end(span: Span, word: str) -> None:
    span.set_attribute("bridge.outcome", word)
    if word not in _GOOD:
        span.set_status(Status(StatusCode.ERROR, word))
