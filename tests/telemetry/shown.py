"""What metrics show, and by which labels."""

from prometheus_client.core import Metric

from bridge.telemetry.metrics import Metrics
from tests.core.records import STREAM


def families(metrics: Metrics) -> dict[str, Metric]:
    """All metrics, by name."""
    return {metric.name: metric for metric in metrics.registry.collect()}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    found: float | None = metrics.registry.get_sample_value(name, labels)
    return found


def stream_value(metrics: Metrics, name: str) -> float | None:
    return value(metrics, name, stream=STREAM.name)
