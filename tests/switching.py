"""Makes a race between two threads likely enough to show."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def threads_taking_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # seconds
    try:
        yield
    finally:
        sys.setswitchinterval(before)
