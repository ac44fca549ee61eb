from typing import Any

import pytest

from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver

PATH = "/services/push/v1/customer/org-chart"


def put(sandbox: Driver, **document: Any) -> int:
    return sandbox.call("PUT", PATH, json=document).status_code


def chart(sandbox: Driver) -> dict[str, Any]:
    figures: dict[str, Any] = sandbox.state()["company"]["org_chart"]
    return figures


def test_requests_add_up_to_one_chart(sandbox: Driver) -> None:
    ann = {"email": "ann@x.com", "managerEmail": "bob@x.com", "title": "CTO", "Entity": "custom"}
    assert put(sandbox, users=[ann, {"email": "bob@x.com"}]) == 200
    assert put(sandbox, users=[{"email": "Bob@x.com", "department": "IT"}]) == 200
    page = sandbox.http.get("/_sandbox/org-chart").json()
    assert page["items"] == [ann, {"email": "Bob@x.com", "department": "IT"}]
    figures = chart(sandbox)
    assert (figures["people"], figures["accepted"], figures["batches"], figures["largest_batch"]) == (
        2,
        3,
        2,
        2,
    )


def test_definitions_stay_until_others_come(sandbox: Driver) -> None:
    fields = [{"name": "Entity", "type": "text"}]
    assert put(sandbox, customFieldsConfig=fields) == 200
    put(sandbox, users=[])
    assert chart(sandbox)["custom_fields"] == fields
    put(sandbox, customFieldsConfig=[])
    assert chart(sandbox)["custom_fields"] == []


@pytest.mark.parametrize("definitions", [{}, "x", [5], [{"name": 5}], [{}, {"type": []}]])
def test_bad_definitions_are_refused_whole(sandbox: Driver, definitions: Any) -> None:
    assert put(sandbox, users=[{"email": "ann@x.com"}], customFieldsConfig=definitions) == 400
    assert sandbox.state()["company"] == {}


@pytest.mark.parametrize(
    "person",
    [
        5,
        {},
        {"email": "x"},
        {"email": "a@x.com", "managerEmail": "boss"},
        {"email": "a@x.com", "department": 5},
    ],
)
def test_a_bad_person_is_named(sandbox: Driver, person: Any) -> None:
    answer = sandbox.call("PUT", PATH, json={"users": [person]})
    assert [error["index"] for error in answer.json()["errors"]] == [0]


def test_a_thousand_at_a_time(sandbox: Driver) -> None:
    people = [{"email": f"u{n}@x.com"} for n in range(1001)]
    assert put(sandbox, users=people) == 400
    assert put(sandbox, users=people[:1000]) == 200
    assert sandbox.state()["largest_batch"] == 1000


def test_the_chart_is_bounded(start: Start) -> None:
    driver = start(max_held=1)
    assert put(driver, users=[{"email": "a@x.com"}]) == 200
    assert put(driver, users=[{"email": "b@x.com"}]) == 400


def test_reset_forgets_the_chart(sandbox: Driver) -> None:
    put(sandbox, users=[{"email": "ann@x.com"}])
    sandbox.http.post("/_sandbox/reset")
    assert sandbox.state()["company"] == {}
