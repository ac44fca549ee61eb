"""The fuzzer's targets end well with what it begins from, so that what it finds is a fault of the bridge."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Target


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
@settings(max_examples=30)
@given(st.data())
def test_it_ends_well(target: Target, data: st.DataObject) -> None:
    target(data.draw(st.binary(max_size=40) | st.sampled_from(TARGETS[target])))
