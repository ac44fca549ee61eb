"""A Productiv to talk to on a laptop, written from the API description, with switches for its bad days."""

from bridge.sandbox.config import CONNECTOR_WRITE, REPORT_READ, Credential, SandboxConfig
from bridge.sandbox.plans import AuditPlan, PortfolioPlan, WorkflowPlan
from bridge.sandbox.server import SandboxServer

__all__ = [
    "CONNECTOR_WRITE",
    "REPORT_READ",
    "AuditPlan",
    "Credential",
    "PortfolioPlan",
    "SandboxConfig",
    "SandboxServer",
    "WorkflowPlan",
]
