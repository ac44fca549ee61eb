"""Cursors that something else wrote: a round ends in a sentence, and never in a defect."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.core.entries import FORMAT
from bridge.core.errors import BridgeError
from bridge.core.polling import Cursor, Page, RoundFailed, SourceStream, Write
from bridge.streams import SOURCES
from tests.core.rounds import NOW

HEAD = {"format": FORMAT, "position": NOW, "floor": NOW, "shortened": False}
RUNS = {"digest": "d", "summary": "s", "format": FORMAT, "sequence": 1, "parts": "", "open": True}
LISTED = {"executionId": "e", "workflowId": "w", "startTime": 1}
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "====", "AAAA", "é", [], {}, [[1]], LISTED, {**LISTED, "extra": 1}, NOW])
)
NAMED = (
    "format position floor shortened until ids digest summary detailed_at sequence parts open listed endTime"
)
FIELDS = st.sampled_from(NAMED.split())
NEARLY = st.sampled_from([HEAD, {**RUNS, "listed": LISTED}, {**RUNS, "open": False, "until": 1}])
ENTRIES = st.builds(
    lambda entry, more: {**entry, **more}, NEARLY | st.just({}), st.dictionaries(FIELDS, VALUES, max_size=3)
)
NAMES = st.sampled_from(
    ["head", "seen/1", "seen/x", "seen/" + "9" * 30, "item/1", "execution/w/e", "item/", "x"]
)
PAGE = Page(
    [{"workflowId": "w", "executionId": "e", "applicationId": "1", "startTime": "2025-01-01T00:00:00Z"}]
)


def played(source: SourceStream, cursor: Cursor) -> None:
    """A round, with the same page for each question."""
    held = dict(cursor)
    steps = source.poll(source.options(), held, NOW)
    answer: Any = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return
        if isinstance(step, Write):
            held |= {name: entry for name, entry in step.remember.items() if entry is not None}
            for name in step.remember.keys() - {name for name, entry in step.remember.items() if entry}:
                held.pop(name, None)
        answer = [PAGE] * len(step) if isinstance(step, list | tuple) else ()


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@given(st.dictionaries(NAMES, ENTRIES, max_size=3))
@example({"head": {}})
@example({"head": {**HEAD, "position": 2**62}})
@example({"head": {**HEAD, "floor": -(2**62)}})
@example({"head": {"format": "1"}})
@example({"seen/1": {"format": 1, "until": 1, "ids": "="}})
@example({"seen/x": {"format": 1, "until": NOW, "ids": ""}})
@example({"item/1": {"format": 1}})
@example({"execution/w/e": {**RUNS, "listed": {}}})
@example({"execution/w/e": {**RUNS, "listed": {**LISTED, "startTime": "x"}}})
def test_any_cursor_is_polled_or_refused(source: SourceStream, cursor: Cursor) -> None:
    position = source.position(cursor)
    assert position is None or isinstance(position, int)
    try:
        played(source, cursor)
    except (BridgeError, RoundFailed) as error:
        assert str(error).isprintable()  # noqa: PT017  (either is well)
