from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.outcome import ItemError
from bridge.productiv.item_errors import item_errors


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"index": 3, "message": "bad"}]},
        {"Errors": [{"Index": 3, "Message": "bad"}]},
        {"itemErrors": [{"itemIndex": 3, "reason": "bad"}]},
        {"item_errors": [{"record_index": "3", "error": "bad"}]},
        {"failures": [{"idx": 3, "detail": "bad"}]},
        {"error": {"message": "invalid", "details": [{"eventIndex": 3, "description": "bad"}]}},
        {"success": False, "failed-records": [{"index": 3, "error_message": "bad"}]},
    ],
)
def test_common_shapes_are_read(body: Any) -> None:
    assert item_errors(body, 10) == (ItemError(3, "bad"),)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "errors",
        {"errors": {}},
        {"errors": ["index 3"]},
        {"errors": [{"message": "no position"}]},
        {"errors": [{"index": True}, {"index": 1.0}, {"index": None}, {"index": "x"}, {"index": "٣"}]},
        {"errors": [{"index": -1}, {"index": 10}, {"index": "9" * 5000}]},
        {"errors": [{"line": 3, "row": 3}]},
    ],
)
def test_what_names_nothing_valid_is_no_items(body: Any) -> None:
    assert item_errors(body, 10) == ()


def test_valid_ones_are_kept_beside_invalid_ones_in_order_and_once() -> None:
    errors = [
        {"index": 7, "message": "b"},
        {"index": 99},
        {"index": 2, "message": "a"},
        {"index": 7, "message": "c"},
    ]
    assert item_errors({"errors": errors}, 10) == (ItemError(2, "a"), ItemError(7, "b"))


def test_reasons_are_redacted_and_short_and_never_empty() -> None:
    errors = [
        {"index": 0, "message": "ann@example.com is unknown"},
        {"index": 1, "message": "x" * 1000},
        {"index": 2, "message": "  "},
    ]
    first, second, third = item_errors({"errors": errors}, 3)
    assert first.reason == "[email] is unknown"
    assert len(second.reason) == 200
    assert third.reason == "the API named this record as bad and gave no reason"


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["errors", "index", "message", "error"]) | st.text(max_size=3), inner
        )
    ),
)


@given(_JSON, st.integers(min_value=1, max_value=5))
def test_any_body_gives_only_positions_within_the_batch(body: Any, records: int) -> None:
    found = item_errors(body, records)
    assert [item.index for item in found] == sorted({item.index for item in found})
    assert all(0 <= item.index < records and item.reason for item in found)
