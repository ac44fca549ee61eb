"""Settings of traces."""

from pydantic import Field

from bridge.config.fields import Section, ServiceUrl, Text


class Tracing(Section):
    """Traces by OpenTelemetry, exported by OTLP over HTTP."""

    enabled: bool = Field(
        default=False,
        description="Whether to trace batches, rounds and requests. Needs the extra: "
        "pip install 'productiv-bridge[tracing]'.",
    )
    endpoint: ServiceUrl = Field(
        default="http://localhost:4318/v1/traces",
        description="Where spans go: the whole address of an OTLP receiver for traces over HTTP. Headers "
        "that it wants, such as a token, are read from the variable OTEL_EXPORTER_OTLP_HEADERS.",
    )
    sample_ratio: float = Field(
        default=1.0, ge=0, le=1, description="The share of batches and of rounds that are traced."
    )
    service_name: Text = Field(
        default="productiv-bridge", description="The name under which the traces are found."
    )
