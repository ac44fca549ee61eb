from typing import Any

import pytest

from bridge.sandbox import CONNECTOR_WRITE
from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver, event

PATH = "/services/push/v1/customer/apps"


def test_an_app_is_registered_under_an_id_of_its_own(sandbox: Driver) -> None:
    app = {"appName": "Board", "appDescription": "d", "appCategory": "c", "appUrl": "https://board.example"}
    first = sandbox.call("POST", PATH, json=app).json()
    second = sandbox.call("POST", PATH, json=app).json()
    assert first["appName"] == "Board"
    assert first["appId"] != second["appId"]
    page = sandbox.http.get("/_sandbox/apps").json()
    assert page["items"] == [{**app, "appId": first["appId"]}, {**app, "appId": second["appId"]}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "appName is required"),
        ({}, "appName is required"),
        ({"appName": ""}, "appName is required"),
        ({"appName": 5}, "appName must be a string"),
        ({"appName": "x", "appUrl": 5}, "appUrl must be a string"),
    ],
)
def test_a_bad_registration_is_400(sandbox: Driver, body: Any, message: str) -> None:
    answer = sandbox.call("POST", PATH, json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


def test_registering_needs_a_token(sandbox: Driver) -> None:
    sandbox.token = ""
    assert sandbox.call("POST", PATH, json={"appName": "x"}).status_code == 401


def test_a_loop_over_ids_cannot_fill_the_memory(start: Start) -> None:
    driver = start(max_apps=2)
    statuses = [driver.publish([event()], app=app).status_code for app in ("a", "b", "c", "a")]
    assert statuses == [200, 200, 404, 200]
    registered = [driver.call("POST", PATH, json={"appName": "x"}).status_code for _ in range(3)]
    assert registered == [200, 200, 400]


def test_summaries_list_what_is_registered_and_configured(start: Start) -> None:
    driver = start(apps=frozenset({"b-known", "a-known"}))
    app = driver.call("POST", PATH, json={"appName": "Board", "appCategory": "Design"}).json()["appId"]
    summaries = driver.call("GET", "/services/export/v1/customer/app-summaries").json()["apps"]
    assert [summary["ApplicationId"] for summary in summaries] == ["a-known", "b-known", app]
    assert summaries[2] == {
        "ApplicationId": app,
        "AppName": "Board",
        "AppStatus": "Approved",
        "VendorName": "Board",
        "AppCategory": "Design",
    }


def test_summaries_need_the_reading_scope(sandbox: Driver) -> None:
    sandbox.login(scope=CONNECTOR_WRITE)
    assert sandbox.call("GET", "/services/export/v1/customer/app-summaries").status_code == 403
