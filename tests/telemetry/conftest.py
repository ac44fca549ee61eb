"""Logging as it was before, after each test that configures it."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def own_logging() -> Iterator[None]:
    root, configured = logging.getLogger(), structlog.get_config()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    structlog.configure(**configured)
