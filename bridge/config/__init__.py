"""Every setting, typed, described, secret or not; `load` reads them from YAML and the environment."""

from bridge.config.applications import Application
from bridge.config.kafka import Kafka, SchemaRegistry
from bridge.config.layers import load
from bridge.config.model import Apps, Http, Log, Settings
from bridge.config.productiv import Productiv, Timeouts
from bridge.config.reconcile import Reconcile
from bridge.config.sinks import AppOf, Backoff, Batch, FloodGuard, Sink
from bridge.config.sources import Source
from bridge.config.tracing import Tracing

__all__ = [
    "AppOf",
    "Application",
    "Apps",
    "Backoff",
    "Batch",
    "FloodGuard",
    "Http",
    "Kafka",
    "Log",
    "Productiv",
    "Reconcile",
    "SchemaRegistry",
    "Settings",
    "Sink",
    "Source",
    "Timeouts",
    "Tracing",
    "load",
]
