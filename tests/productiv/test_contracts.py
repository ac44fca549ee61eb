import json
from decimal import Decimal
from typing import Any, get_type_hints
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.json_text import json_text
from bridge.core.polling import Page
from bridge.core.stream import Operation
from bridge.productiv.contracts import CONTRACTS, Call, Contract, Question
from bridge.streams import SINKS

CALLS, QUESTIONS = CONTRACTS["openapi"].calls, CONTRACTS["openapi"].questions
USAGE = CALLS[Operation.PUBLISH_USAGE_EVENTS]
WRITE = "https://api.productiv.com/connector.write"
READ = "https://api.productiv.com/report.read"


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_every_operation_has_its_call(contract: Contract) -> None:
    assert sorted([*contract.calls, *contract.questions]) == sorted(Operation)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
@pytest.mark.parametrize("stream", SINKS.values(), ids=SINKS)
def test_every_field_of_a_stream_has_a_name_on_the_wire(contract: Contract, stream: object) -> None:
    sink = SINKS[stream.name]  # type: ignore[attr-defined]
    sent = sink.gating.sent if sink.gating is not None else sink.record
    assert set(contract.calls[sink.operation].fields) == set(get_type_hints(sent))


def test_usage_events_look_as_described() -> None:
    assert (USAGE.method, USAGE.target({"app": "500123"})) == (
        "POST",
        "/services/push/v1/customer/apps/500123/usage-events",
    )
    assert USAGE.max_records == 1000
    assert USAGE.scopes == {"https://api.productiv.com/connector.write"}
    docs = [{"timestamp": 1, "email": "ann@example.com", "eventName": "n"}]
    assert orjson.loads(USAGE.body(docs)) == {"events": docs}


@given(st.text(min_size=1).filter(lambda app: app not in (".", "..")))
def test_an_app_id_stays_one_segment(app: str) -> None:
    segments = USAGE.target({"app": app}).split("/")
    assert len(segments) == 8
    assert unquote(segments[6]) == app
    assert not set(segments[6]) & set("?#%/ ") - {"%"}


@pytest.mark.parametrize("app", ["", ".", "..", "\ud800"])
def test_an_app_id_that_no_path_can_hold_is_refused(app: str) -> None:
    with pytest.raises(ValueError, match=r"only dots|surrogates"):
        USAGE.target({"app": app})


def test_fields_go_out_under_their_names_on_the_wire() -> None:
    call = Call("POST", "/x", "records", 10, frozenset(), {"email": "identifier", "amount": "amount"})
    assert orjson.loads(call.body([{"email": "a@b.c", "amount": 1}])) == {
        "records": [{"identifier": "a@b.c", "amount": 1}]
    }


@pytest.mark.parametrize(
    ("operation", "method", "path", "envelope"),
    [
        (Operation.PUBLISH_USERS, "POST", "apps/500%2F123/users", "users"),
        (Operation.DELETE_USERS, "DELETE", "apps/500%2F123/users", "users"),
        (Operation.PUBLISH_SPEND, "POST", "apps/500%2F123/spend", "spendData"),
        (Operation.PUBLISH_ORG_CHART, "PUT", "org-chart", "users"),
    ],
)
def test_pushes_look_as_described(operation: Operation, method: str, path: str, envelope: str) -> None:
    call = CALLS[operation]
    assert (call.method, call.target({"app": "500/123"})) == (method, f"/services/push/v1/customer/{path}")
    assert (call.max_records, set(call.scopes)) == (1000, {WRITE})
    docs = [dict.fromkeys(call.fields, "x")]
    assert orjson.loads(call.body(docs)) == {envelope: docs}


def test_the_org_chart_is_about_no_app_and_takes_custom_fields_beside_the_people() -> None:
    call = CALLS[Operation.PUBLISH_ORG_CHART]
    assert call.target({"app": ""}) == call.target({"app": ".."}) == "/services/push/v1/customer/org-chart"
    fields = [{"name": "Entity", "type": "string"}]
    body = orjson.loads(call.body([{"email": "ann@example.com"}], {"custom_fields": fields}))
    assert body == {"users": [{"email": "ann@example.com"}], "customFieldsConfig": fields}
    with pytest.raises(KeyError):
        USAGE.body([], {"custom_fields": fields})


PUSH, EXPORT = "/services/push/v1/customer", "/services/export/v1/customer"


@pytest.mark.parametrize(
    ("operation", "method", "path", "scope"),
    [
        (Operation.GET_USERS, "GET", f"{PUSH}/apps/7/users", WRITE),
        (Operation.REGISTER_APP, "POST", f"{PUSH}/apps", WRITE),
        (Operation.GET_UPLOAD_URLS, "GET", f"{PUSH}/apps/7/upload", WRITE),
        (Operation.GET_APP_SUMMARIES, "GET", f"{EXPORT}/app-summaries", READ),
        (Operation.GET_APP_DETAILS, "GET", f"{EXPORT}/app-details/7", READ),
        (Operation.LIST_WORKFLOWS, "GET", f"{EXPORT}/provisioning-workflows", READ),
        (Operation.LIST_EXECUTIONS, "GET", f"{EXPORT}/provisioning-workflows/w%2F1/executions", READ),
        (Operation.GET_EXECUTION, "GET", f"{EXPORT}/provisioning-workflows/w%2F1/executions/e%3D2", READ),
        (Operation.GET_AUDIT_EVENTS, "GET", f"{EXPORT}/audit-events", READ),
    ],
)
def test_questions_look_as_described(operation: Operation, method: str, path: str, scope: str) -> None:
    question = QUESTIONS[operation]
    place = {"app": "7", "workflow": "w/1", "execution": "e=2"}
    assert (question.method, question.target(place), set(question.scopes)) == (method, path, {scope})
    assert question.repeatable == (method == "GET")
    assert question.export == path.startswith(EXPORT)


def test_what_is_asked_goes_out_under_its_names_on_the_wire() -> None:
    given = {"name": "Board", "description": "d", "category": "c", "url": "https://b.example"}
    body = QUESTIONS[Operation.REGISTER_APP].body(given)
    assert body is not None
    assert orjson.loads(body) == {
        "appName": "Board",
        "appDescription": "d",
        "appCategory": "c",
        "appUrl": "https://b.example",
    }
    upload = QUESTIONS[Operation.GET_UPLOAD_URLS]
    assert upload.body({}) is None
    assert upload.query({"filenames": ["a", "b"]}) == [("filenames", "a"), ("filenames", "b")]


def test_an_answer_comes_under_our_names_without_what_is_null_or_unknown() -> None:
    user: dict[str, Any] = {"email": "a@example.com", "role": None, "team": "x"}
    assert QUESTIONS[Operation.GET_USERS].page({"users": [user]}).rows == [{"email": "a@example.com"}]
    assert QUESTIONS[Operation.REGISTER_APP].page({"appId": "7"}).rows == [{"app_id": "7"}]


def test_an_export_keeps_what_is_not_described_under_its_own_name() -> None:
    app: dict[str, Any] = {"ApplicationId": "7", "AppStatus": None, "Capabilities": [1], "appName": "odd"}
    page = QUESTIONS[Operation.GET_APP_SUMMARIES].page({"apps": [app]})
    assert page.rows == [{"applicationId": "7", "Capabilities": [1], "appName": "odd"}]
    assert page.next_page is None


@pytest.mark.parametrize(("token", "next_page"), [("more", "more"), ("", None), (None, None)])
def test_pages_follow_where_the_description_knows_of_them(token: str | None, next_page: str | None) -> None:
    events = QUESTIONS[Operation.GET_AUDIT_EVENTS]
    assert events.page({"events": [], "nextPageToken": token}) == Page([], next_page)
    assert events.query({"startTime": ["a"], "page": ["more"]}) == [
        ("startTime", "a"),
        ("nextPageToken", "more"),
    ]
    with pytest.raises(ValueError, match="is no text"):
        events.page({"events": [], "nextPageToken": 7})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([], "it is not a JSON object"),
        ({}, "it has no list under 'users'"),
        ({"provisionedUsers": []}, "it has no list under 'users'"),
        ({"users": {}}, "it has no list under 'users'"),
        ({"users": [7]}, "an entry under 'users' is not an object"),
        ({"users": [{"email": ""}]}, "an entry has no text under 'email'"),
        ({"users": [{"email": 7}]}, "an entry has no text under 'email'"),
        ({"users": [], "nextPageToken": "more"}, "more pages follow"),
    ],
)
def test_an_answer_that_is_not_as_described_never_passes_for_an_empty_one(answer: Any, why: str) -> None:
    question: Question = QUESTIONS[Operation.GET_USERS]
    with pytest.raises(ValueError, match=why):
        question.page(answer)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.1", "0.1"),
        ("-12.30", "-12.30"),
        ("0.30000000000000000000000000000000000000004", "0.30000000000000000000000000000000000000004"),
        ("12345678901234567890.12", "12345678901234567890.12"),
        ("1E+5", "100000"),
        ("-1E-10", "-0.0000000001"),
        ("0E-3", "0.000"),
        ("-0", "-0"),
        ("1E+64", "1" + 64 * "0"),
        ("1E+65", "1E+65"),
        ("1E-65", "1E-65"),
        ("1E+1000000", "1E+1000000"),
        ("0E-1000000", "0E-1000000"),
    ],
)
def test_an_amount_goes_out_as_the_number_it_is(amount: str, text: str) -> None:
    body = CALLS[Operation.PUBLISH_SPEND].body([{"amount": Decimal(amount)}])
    assert body == f'{{"spendData":[{{"amount":{text}}}]}}'.encode()


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_every_amount_is_read_again_as_it_was(amount: Decimal) -> None:
    read = json.loads(json_text([amount]), parse_float=Decimal, parse_int=Decimal)
    assert read == [amount]


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("-Infinity"), object()])
def test_what_is_no_number_is_refused(amount: object) -> None:
    with pytest.raises(TypeError):
        CALLS[Operation.PUBLISH_SPEND].body([{"amount": amount}])
