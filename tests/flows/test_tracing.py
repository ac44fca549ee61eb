"""Traces of a bridge at work, as a receiver of OTLP gets them."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.sandbox import AuditPlan, SandboxConfig
from tests.flows.conftest import staged, staged_sources
from tests.flows.process import eventually
from tests.flows.setting import usage
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.mock import MockBroker

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Receiver:
    """Takes spans over HTTP; `headers` are those of the requests."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(
                    gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                )
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            told = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.services.add(told["service.name"])
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def close(self) -> None:
        self._server.shutdown()


@contextmanager
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    try:
        yield made
    finally:
        made.close()


def test_batches_and_requests_arrive_linked_to_the_traces_of_their_records(
    mock_kafka: Cluster[MockBroker], tmp_path: Path
) -> None:
    with receiver() as got, staged(mock_kafka, tmp_path) as stage:
        bridge = stage.bridge()
        bridge.change(tracing={"enabled": True, "endpoint": got.url, "service_name": "a test"})
        bridge.start()
        stage.fault(kind="status", status=503, times=1)
        producer = Producer({"bootstrap.servers": stage.kafka.bootstrap})
        parent = f"00-{TRACE}-00f067aa0ba902b7-01".encode()
        for number in range(20):
            value = json.dumps(usage(number)).encode()
            producer.produce(stage.topic, value, partition=0, headers=[("traceparent", parent)])
        producer.flush(30)
        stage.delivered(20)
        assert bridge.stop() == 0
    assert got.services == {"a test"}
    batches, requests = got.named("batch usage"), got.named("request publish_usage_events")
    assert {span.span_id for span in batches} == {span.parent_span_id for span in requests}
    assert {link.trace_id.hex() for span in batches for link in span.links} == {TRACE}
    outcomes = [str(each.value.string_value) for span in batches for each in span.attributes
                if each.key == "bridge.outcome"]  # fmt: skip
    assert sorted(set(outcomes)) == ["accepted", "unavailable"]
    [refused] = bridge.logged("batch_not_accepted")
    assert refused["trace_id"] in {span.trace_id.hex() for span in batches}
    assert b"example.com" not in b"".join(span.SerializeToString() for span in got.spans)


@pytest.mark.real_kafka
def test_what_a_source_writes_says_which_round_it_belongs_to(kafka: Cluster[Broker], tmp_path: Path) -> None:
    plan = SandboxConfig(audit_events=AuditPlan(per_second=1, history_events=30, late_share=0))
    with receiver() as got, staged_sources(kafka, tmp_path, plan) as stage:
        bridge = stage.bridge("audit_events", requests_per_second=50)
        bridge.change(tracing={"enabled": True, "endpoint": got.url})
        bridge.start()
        eventually(lambda: len(stage.read("audit_events")) >= 30, "the events are there")
        written = [each["traceparent"].decode() for each in stage.readers["audit_events"].headers]
        assert bridge.stop() == 0
    rounds = {span.trace_id.hex() for span in got.named("round audit_events")}
    assert {parent.split("-")[1] for parent in written} <= rounds
    asked = got.named("request get_audit_events")
    assert asked
    assert {span.trace_id.hex() for span in asked} <= rounds


def test_a_receiver_that_is_away_holds_up_nothing(mock_kafka: Cluster[MockBroker], tmp_path: Path) -> None:
    with staged(mock_kafka, tmp_path) as stage:
        bridge = stage.bridge()
        bridge.change(tracing={"enabled": True, "endpoint": "http://127.0.0.1:9/v1/traces"})
        bridge.start()
        stage.produce(usage(n) for n in range(100))
        stage.delivered(100)
        assert bridge.stop() == 0
