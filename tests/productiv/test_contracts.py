from typing import get_type_hints
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.stream import Operation
from bridge.productiv.contracts import CONTRACTS, Call, Contract
from bridge.streams import SINKS

USAGE = CONTRACTS["openapi"].calls[Operation.PUBLISH_USAGE_EVENTS]


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_every_operation_has_its_call(contract: Contract) -> None:
    assert set(contract.calls) == set(Operation)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
@pytest.mark.parametrize("stream", SINKS.values(), ids=SINKS)
def test_every_field_of_a_stream_has_a_name_on_the_wire(contract: Contract, stream: object) -> None:
    sink = SINKS[stream.name]  # type: ignore[attr-defined]
    assert set(contract.calls[sink.operation].fields) == set(get_type_hints(sink.record))


def test_usage_events_look_as_described() -> None:
    assert (USAGE.method, USAGE.target("500123")) == (
        "POST",
        "/services/push/v1/customer/apps/500123/usage-events",
    )
    assert USAGE.max_records == 1000
    assert USAGE.scopes == {"https://api.productiv.com/connector.write"}
    docs = [{"timestamp": 1, "email": "ann@example.com", "eventName": "n"}]
    assert orjson.loads(USAGE.body(docs)) == {"events": docs}


@given(st.text(min_size=1).filter(lambda app: app not in (".", "..")))
def test_an_app_id_stays_one_segment(app: str) -> None:
    segments = USAGE.target(app).split("/")
    assert len(segments) == 8
    assert unquote(segments[6]) == app
    assert not set(segments[6]) & set("?#%/ ") - {"%"}


@pytest.mark.parametrize("app", ["", ".", "..", "\ud800"])
def test_an_app_id_that_no_path_can_hold_is_refused(app: str) -> None:
    with pytest.raises(ValueError, match=r"only dots|surrogates"):
        USAGE.target(app)


def test_fields_go_out_under_their_names_on_the_wire() -> None:
    call = Call("POST", "/x", "records", 10, frozenset(), {"email": "identifier", "amount": "amount"})
    assert orjson.loads(call.body([{"email": "a@b.c", "amount": 1}])) == {
        "records": [{"identifier": "a@b.c", "amount": 1}]
    }
