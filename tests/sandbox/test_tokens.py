import base64
from typing import Any

import pytest

from bridge.sandbox import CONNECTOR_WRITE, REPORT_READ, Credential
from tests.sandbox.conftest import Start
from tests.sandbox.driver import GOOD, Driver, Hands, event


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def test_a_token_comes_as_the_description_says(sandbox: Driver) -> None:
    answer = sandbox.ask_token(scope=CONNECTOR_WRITE)
    assert answer.status_code == 200
    document = answer.json()
    assert document["token_type"] == "Bearer"
    assert document["expires_in"] == 3600
    assert document["scope"] == CONNECTOR_WRITE


def test_http_basic_works_with_encoded_characters(start: Start) -> None:
    driver = start(credentials=(Credential("a:b", "p ä+%"),))
    headers = {"authorization": basic("a%3Ab", "p+%C3%A4%2B%25")}
    answer = driver.http.post("/oauth2/token", data={"grant_type": "client_credentials"}, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (basic("sandbox", "wrong"), 401),
        (basic("nobody", "sandbox-secret"), 401),
        ("Basic %%%", 401),
        ("Basic " + base64.b64encode(b"\xff\xfe").decode(), 401),
        ("Basic " + base64.b64encode(b"sandbox").decode(), 401),
        (basic("sandbox", "sandbox-secret").replace("Basic", "Digest"), 401),
    ],
)
def test_bad_http_basic_is_refused(sandbox: Driver, header: str, status: int) -> None:
    headers = {"authorization": header}
    answer = sandbox.http.post("/oauth2/token", data={"grant_type": "client_credentials"}, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "https://api.productiv.com/everything"}, 400, "invalid_scope"),
    ],
)
def test_a_bad_token_request_is_refused(
    sandbox: Driver, fields: dict[str, Any], status: int, error: str
) -> None:
    answer = sandbox.ask_token(**fields)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_secret_given_twice_is_refused(sandbox: Driver) -> None:
    form = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox-secret"}
    headers = {"authorization": basic("sandbox", "sandbox-secret")}
    assert sandbox.http.post("/oauth2/token", data=form, headers=headers).json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"grant_type=client_credentials&client_id=sandbox&client_secret=sandbox-secret", "application/json"),
        (b"grant_type", "application/x-www-form-urlencoded"),
        (b"grant_type=client_credentials&grant_type=x", "application/x-www-form-urlencoded"),
        (b"grant_type=\xff", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_form_is_refused(sandbox: Driver, body: bytes, content_type: str) -> None:
    answer = sandbox.http.post("/oauth2/token", content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_call_without_or_with_an_unknown_token_is_401(sandbox: Driver) -> None:
    for token in ("", "nonsense"):
        sandbox.token = token
        answer = sandbox.publish([event()])
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert sandbox.state()["apps"] == {}


def test_a_token_lives_to_its_last_second_and_no_longer(sandbox: Driver, hands: Hands) -> None:
    hands.now += 3599.9
    assert sandbox.publish([event()]).status_code == 200
    assert sandbox.state()["tokens"] == {"issued": 1, "live": 1}
    hands.now += 0.1
    assert sandbox.publish([event()]).status_code == 401
    assert sandbox.state()["tokens"] == {"issued": 1, "live": 0}


def test_a_token_without_the_scope_is_403(sandbox: Driver) -> None:
    sandbox.login(scope=REPORT_READ)
    answer = sandbox.publish([event()])
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")


def test_without_a_scope_the_token_has_all_that_the_client_was_given(start: Start) -> None:
    reader = Credential("reader", "secret", frozenset({REPORT_READ}))
    driver = start(credentials=(GOOD, reader))
    assert driver.publish([event()]).status_code == 200
    driver.login(reader)
    assert driver.publish([event()]).status_code == 403


def test_a_token_of_before_a_reset_is_not_good_after_it(sandbox: Driver) -> None:
    old = sandbox.token
    sandbox.http.post("/_sandbox/reset")
    assert sandbox.publish([event()]).status_code == 401
    assert sandbox.login() != old


def test_tokens_are_bounded_and_the_oldest_goes_first(start: Start) -> None:
    driver = start(max_tokens=2)
    tokens = [driver.token, driver.login(), driver.login()]
    statuses = []
    for driver.token in tokens:
        statuses.append(driver.publish([event()]).status_code)
    assert statuses == [401, 200, 200]
    assert driver.state()["tokens"] == {"issued": 3, "live": 2}
