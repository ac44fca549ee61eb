import gzip
import json
from typing import Any

import pytest

from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver, event, events, usage_path


def test_a_batch_is_taken_and_counted(sandbox: Driver) -> None:
    assert sandbox.publish(events(3)).json() == {"success": True}
    assert sandbox.publish(events(2, start=2)).status_code == 200
    figures = sandbox.usage()
    assert (figures["accepted"], figures["distinct"], figures["duplicates"]) == (5, 4, 1)
    assert (figures["batches"], figures["largest_batch"]) == (2, 3)
    assert sandbox.requests() == {"200": 2}
    assert sandbox.state()["largest_batch"] == 3


def test_the_same_event_in_two_apps_is_two_events(sandbox: Driver) -> None:
    sandbox.publish([event()], app="app-a")
    sandbox.publish([event()], app="app-b")
    assert sandbox.usage("app-a")["duplicates"] == sandbox.usage("app-b")["duplicates"] == 0


@pytest.mark.parametrize("field", ["timestamp", "email", "eventName"])
def test_events_that_differ_in_one_field_are_distinct(sandbox: Driver, field: str) -> None:
    other: Any = {"timestamp": 1, "email": "b@example.com", "eventName": "closed_file"}[field]
    sandbox.publish([event(), event(**{field: other})])
    assert sandbox.usage()["distinct"] == 2


def test_a_thousand_events_pass_and_one_more_does_not(sandbox: Driver) -> None:
    assert sandbox.publish(events(1000)).status_code == 200
    refused = sandbox.publish(events(1001))
    assert refused.status_code == 400
    assert "1000" in refused.json()["message"]
    assert sandbox.usage()["accepted"] == 1000


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"timestamp": "1767225600000"}, "timestamp"),
        ({"timestamp": 1.5}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"timestamp": 2**63}, "timestamp"),
        ({"timestamp": -(2**63) - 1}, "timestamp"),
        ({"email": None}, "email is required"),
        ({"email": 5}, "email must be a string"),
        ({"email": "nobody"}, "not an e-mail"),
        ({"email": "two words@example.com"}, "not an e-mail"),
        ({"email": "a@b@example.com"}, "not an e-mail"),
        ({"email": "a@example..com"}, "not an e-mail"),
        ({"email": "a" * 243 + "@example.com"}, "not an e-mail"),
        ({"eventName": ""}, "eventName"),
        ({"eventName": 7}, "eventName"),
    ],
)
def test_a_bad_field_is_named_with_the_position_of_its_event(
    sandbox: Driver, bad: dict[str, Any], message: str
) -> None:
    answer = sandbox.publish([event(0), event(1, **bad), event(2)])
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["index"] == 1
    assert message in error["message"]
    assert sandbox.state()["apps"] == {}, "a batch is taken whole or not at all"


@pytest.mark.parametrize("missing", ["timestamp", "email", "eventName"])
def test_a_missing_field_is_named(sandbox: Driver, missing: str) -> None:
    broken = {name: value for name, value in event().items() if name != missing}
    errors = sandbox.publish([broken]).json()["errors"]
    assert errors == [{"index": 0, "message": f"{missing} is required"}]


def test_events_that_are_no_objects_are_named_each(sandbox: Driver) -> None:
    errors = sandbox.publish([5, event(), "x", None]).json()["errors"]
    assert [error["index"] for error in errors] == [0, 2, 3]


def test_limits_of_the_number_and_long_addresses_pass(sandbox: Driver) -> None:
    good = [event(timestamp=2**63 - 1), event(timestamp=-(2**63)), event(email="a" * 242 + "@example.com")]
    assert sandbox.publish([*good, event(extra="kept")]).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b'{"events": {}}', b'{"event": []}', b'{"events": null}']
)
def test_a_body_of_another_shape_is_400(sandbox: Driver, body: bytes) -> None:
    answer = sandbox.call(
        "POST", usage_path("a"), content=body, headers={"content-type": "application/json; charset=utf-8"}
    )
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_another_content_type_is_400(sandbox: Driver) -> None:
    answer = sandbox.call(
        "POST", usage_path("a"), content=b'{"events": []}', headers={"content-type": "text/plain"}
    )
    assert (answer.status_code, answer.json()["message"]) == (400, "Content-Type must be application/json")


def test_a_body_over_the_limit_is_413(start: Start) -> None:
    driver = start(max_body_bytes=200_000)
    assert driver.publish([event(eventName="x" * 200_000)]).status_code == 413
    assert driver.publish([event(eventName="x" * 150_000)]).status_code == 200


def test_a_body_by_gzip_is_unpacked_within_the_limit(start: Start) -> None:
    driver = start(max_body_bytes=200_000)

    def status(body: bytes, coding: str = "gzip") -> int:
        headers = {"content-type": "application/json", "content-encoding": coding}
        return driver.call("POST", usage_path("app-a"), content=body, headers=headers).status_code

    def packed(name: str) -> bytes:
        return gzip.compress(json.dumps({"events": [event(eventName=name)]}).encode())

    assert status(packed("x" * 150_000)) == 200
    assert driver.usage()["accepted"] == 1
    assert status(packed("x" * 200_000)) == 413
    assert status(packed("x")[:-1]) == 400
    assert status(b'{"events": []}') == 400
    assert status(b'{"events": []}', "identity") == 200
    assert status(packed("x"), "br") == 415
    assert driver.usage()["accepted"] == 1


def test_an_app_that_is_not_known_is_404(start: Start) -> None:
    driver = start(apps=frozenset({"known"}))
    assert driver.publish([event()], app="known").status_code == 200
    assert driver.publish([event()], app="unknown").status_code == 404
    app = driver.call("POST", "/services/push/v1/customer/apps", json={"appName": "New"}).json()["appId"]
    assert driver.publish([event()], app=app).status_code == 200


def test_an_app_id_with_control_characters_is_404(sandbox: Driver) -> None:
    assert sandbox.publish([event()], app="a%0Ab").status_code == 404


def test_idempotency_keys_are_counted_and_other_bodies_noticed(sandbox: Driver) -> None:
    for number, key in ((1, "k1"), (1, "k1"), (2, "k1"), (3, "k2")):
        sandbox.publish(events(number), **{"idempotency-key": key})
    keys = sandbox.state()["idempotency_keys"]
    assert keys == {
        "seen": 4,
        "distinct": 2,
        "repeated": 2,
        "repeated_with_other_body": 1,
        "exact": True,
        "recent": ["k1", "k2"],
    }


def test_idempotency_keys_are_bounded_and_say_so(start: Start) -> None:
    driver = start(max_idempotency_keys=3)
    for number in range(5):
        driver.publish([event(number)], **{"idempotency-key": f"k{number}"})
    keys = driver.state()["idempotency_keys"]
    assert (keys["recent"], keys["exact"], keys["distinct"]) == (["k2", "k3", "k4"], False, 5)


def test_identity_beyond_its_bound_says_so(start: Start) -> None:
    driver = start(max_identities=10)
    driver.publish(events(10))
    assert driver.state()["identity_exact"] is True
    driver.publish(events(11))
    assert driver.state()["identity_exact"] is False
    assert driver.usage()["duplicates"] == 10
