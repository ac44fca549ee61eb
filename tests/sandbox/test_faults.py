import asyncio
import socket
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import httpx2
import orjson
import pytest

from bridge.sandbox.connection import CONNECTION, Dropped, Exchange
from bridge.sandbox.fault_kinds import KINDS
from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver, Hands, event, events

ONE_EVENT = orjson.dumps({"events": [event()]})


def accepted(sandbox: Driver) -> int:
    apps = sandbox.state()["apps"]
    return sum(figures["usage"]["accepted"] for figures in apps.values())


def everything(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_latency_takes_its_seconds_and_jitter_from_the_seed(sandbox: Driver, hands: Hands) -> None:
    sandbox.fault("latency", seconds=3, times=1)
    sandbox.fault("latency", seconds=10, jitter=5, skip=1, times=20)
    for number in range(21):
        assert sandbox.publish([event(number)]).status_code == 200
    assert hands.slept[0] == 3
    assert all(10 <= seconds <= 15 for seconds in hands.slept[1:])
    assert len(set(hands.slept)) == 21


def test_latency_of_a_good_day(start: Start, hands: Hands) -> None:
    driver = start(latency_seconds=0.25)
    driver.publish([event()])
    assert hands.slept == [0.25, 0.25], "the token's and the call's"


@pytest.mark.parametrize("status", [302, 403, 404, 413, 429, 500, 502, 503, 504])
def test_any_status_before_the_batch_is_taken(sandbox: Driver, status: int) -> None:
    sandbox.fault("status", status=status, times=1)
    answer = sandbox.publish([event()])
    assert answer.status_code == status
    assert "retry-after" not in answer.headers
    assert accepted(sandbox) == 0
    assert sandbox.publish([event()]).status_code == 200
    assert sandbox.requests() == {str(status): 1, "200": 1}


def test_a_status_after_the_batch_was_taken(sandbox: Driver) -> None:
    sandbox.fault("status", status=500, when="after", times=1)
    assert sandbox.publish([event()]).status_code == 500
    assert accepted(sandbox) == 1


def test_retry_after_in_both_forms(sandbox: Driver, hands: Hands) -> None:
    sandbox.fault("status", status=429, retry_after=7, times=1)
    sandbox.fault("status", status=429, retry_after=90, retry_after_form="date", skip=0, times=1)
    assert sandbox.publish([event()]).headers["retry-after"] == "7"
    date = sandbox.publish([event()]).headers["retry-after"]
    assert parsedate_to_datetime(date).timestamp() == hands.now + 90
    assert date.endswith("GMT")


def test_a_reset_before_the_batch_is_taken(sandbox: Driver) -> None:
    sandbox.fault("reset", times=1)
    with sandbox.raw_publish(ONE_EVENT) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert accepted(sandbox) == 0
    assert sandbox.requests() == {"reset": 1}


def test_a_reset_of_a_client_that_has_left_already() -> None:
    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def reset() -> None:
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
            _, client = await asyncio.open_connection(*server.sockets[0].getsockname())
            client.close()
            await client.wait_closed()
            connection = SimpleNamespace(transport=client.transport, ending=asyncio.Event())
            exchange = Exchange({"state": {CONNECTION: connection}}, gone, AsyncMock(), asyncio.sleep)
            await exchange.drop(Dropped("reset"))

    asyncio.run(reset())


def test_a_reset_after_the_batch_was_taken(sandbox: Driver) -> None:
    sandbox.fault("reset", when="after", times=1)
    with sandbox.raw_publish(ONE_EVENT) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert accepted(sandbox) == 1


@pytest.mark.parametrize("kind", ["reset", "close"])
def test_an_end_during_the_request_does_not_wait_for_its_body(sandbox: Driver, kind: str) -> None:
    sandbox.fault(kind, when="during", times=1)
    connection = sandbox.raw_publish(b'{"ev', length=10_000)
    if kind == "reset":
        with connection, pytest.raises(ConnectionResetError):
            connection.recv(1)
    else:
        assert everything(connection) == b""


@pytest.mark.parametrize(("when", "taken"), [("before", 0), ("after", 1)])
def test_a_close_without_an_answer(sandbox: Driver, when: str, taken: int) -> None:
    sandbox.fault("close", when=when, times=1)
    assert everything(sandbox.raw_publish(ONE_EVENT)) == b""
    assert accepted(sandbox) == taken
    assert sandbox.requests() == {"closed": 1}


def test_a_cut_ends_in_the_middle_of_the_body(sandbox: Driver) -> None:
    sandbox.fault("cut", times=1)
    head, _, body = everything(sandbox.raw_publish(ONE_EVENT)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"content-length: 16" in head
    assert body == b'{"succes'
    assert accepted(sandbox) == 1
    assert sandbox.requests() == {"cut": 1}


def test_a_client_library_sees_cuts_and_resets_as_errors(sandbox: Driver) -> None:
    sandbox.fault("cut", times=1)
    with pytest.raises(httpx2.RemoteProtocolError):
        sandbox.publish([event()])
    sandbox.fault("reset", times=1)
    with pytest.raises(httpx2.ReadError):
        sandbox.publish([event()])


@pytest.mark.parametrize(("when", "taken"), [("before", 0), ("after", 1)])
def test_a_stall_without_end_never_answers(sandbox: Driver, when: str, taken: int) -> None:
    sandbox.fault("stall", when=when, times=1)
    connection = sandbox.raw_publish(ONE_EVENT)
    connection.settimeout(0.2)
    with connection, pytest.raises(TimeoutError):
        connection.recv(1)
    assert accepted(sandbox) == taken
    assert sandbox.requests() == {"unanswered": 1}


def test_a_stall_of_some_seconds_goes_on_as_usual(sandbox: Driver, hands: Hands) -> None:
    sandbox.fault("stall", seconds=30, times=1)
    assert sandbox.publish([event()]).status_code == 200
    assert hands.slept == [30]


def test_an_expired_token_is_401_until_a_fresh_one(sandbox: Driver) -> None:
    other = sandbox.token
    sandbox.login()
    sandbox.fault("token_expired", times=1)
    assert [sandbox.publish([event()]).status_code for _ in range(2)] == [401, 401]
    sandbox.login()
    assert sandbox.publish([event()]).status_code == 200
    sandbox.token = other
    assert sandbox.publish([event()]).status_code == 200, "only the token of the call had expired"


def test_revoking_meets_every_token(sandbox: Driver) -> None:
    other = sandbox.token
    sandbox.login()
    sandbox.fault("token_revoked", times=1)
    assert sandbox.publish([event()]).status_code == 401
    sandbox.token = other
    assert sandbox.publish([event()]).status_code == 401
    sandbox.login()
    assert sandbox.publish([event()]).status_code == 200


def test_the_token_endpoint_is_hit_only_by_name(sandbox: Driver) -> None:
    sandbox.fault("status", status=500)
    assert sandbox.ask_token().status_code == 200
    sandbox.fault("status", status=503, operation="get_access_token", times=1)
    assert sandbox.ask_token().status_code == 503
    assert sandbox.ask_token().status_code == 200


def test_poison_refuses_the_batch_and_names_the_records(sandbox: Driver) -> None:
    sandbox.fault("poison")
    assert sandbox.publish(events(2)).status_code == 200
    answer = sandbox.publish(
        [event(0), event(1, eventName="poisoned"), event(2), event(3, email="poison@x.com")]
    )
    assert answer.status_code == 400
    assert [error["index"] for error in answer.json()["errors"]] == [1, 3]
    assert accepted(sandbox) == 2
    (fault,) = sandbox.state()["faults"]
    assert (fault["met"], fault["fired"]) == (1, 1)


def test_poison_without_naming_and_with_another_marker_and_status(sandbox: Driver) -> None:
    sandbox.fault("poison", marker="bad", per_item=False, status=422, times=1)
    assert sandbox.publish([event(eventName="poison")]).status_code == 200
    answer = sandbox.publish([event(eventName="bad")])
    assert answer.status_code == 422
    assert "errors" not in answer.json()
    assert sandbox.publish([event(eventName="bad")]).status_code == 200


@pytest.mark.parametrize(("when", "taken"), [("before", 0), ("after", 1)])
def test_success_false(sandbox: Driver, when: str, taken: int) -> None:
    sandbox.fault("success_false", when=when, times=1)
    answer = sandbox.publish([event()])
    assert (answer.status_code, answer.json()) == (200, {"success": False})
    assert accepted(sandbox) == taken


@pytest.mark.parametrize(("when", "taken"), [("before", 0), ("after", 1)])
def test_malformed_json(sandbox: Driver, when: str, taken: int) -> None:
    sandbox.fault("malformed_json", when=when, times=1)
    answer = sandbox.publish([event()])
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert accepted(sandbox) == taken


def test_a_fault_after_waits_for_a_batch_that_was_taken(sandbox: Driver) -> None:
    sandbox.fault("status", status=502, when="after", times=1)
    assert sandbox.publish([{}]).status_code == 400
    assert sandbox.publish([event()]).status_code == 502


def test_a_fault_for_one_app_spares_the_others(sandbox: Driver) -> None:
    sandbox.fault("status", status=503, app="app-a")
    assert sandbox.publish([event()], app="app-b").status_code == 200
    assert sandbox.publish([event()], app="app-a").status_code == 503


def test_a_fault_for_one_operation_spares_the_others(sandbox: Driver) -> None:
    sandbox.fault("status", status=503, operation="setup_application")
    assert sandbox.publish([event()]).status_code == 200
    answer = sandbox.call("POST", "/services/push/v1/customer/apps", json={"appName": "x"})
    assert answer.status_code == 503


def test_skip_and_times_count_calls(sandbox: Driver) -> None:
    sandbox.fault("status", status=500, skip=2, times=2)
    statuses = [sandbox.publish([event(n)]).status_code for n in range(6)]
    assert statuses == [200, 200, 500, 500, 200, 200]
    (fault,) = sandbox.http.get("/_sandbox/faults").json()["faults"]
    assert (fault["met"], fault["fired"], fault["active"]) == (4, 2, False)


def test_the_first_answer_wins_and_spares_the_later_faults(sandbox: Driver) -> None:
    sandbox.fault("status", status=500, times=1)
    sandbox.fault("status", status=503, times=1)
    assert [sandbox.publish([event(n)]).status_code for n in range(3)] == [500, 503, 200]


def shares(driver: Driver, count: int = 60) -> list[int]:
    driver.fault("status", status=500, share=0.3)
    return [driver.publish([event(n)]).status_code for n in range(count)]


def test_the_same_seed_draws_the_same_faults_and_another_others(start: Start) -> None:
    first, same, other = start(seed=1), start(seed=1), start(seed=2)
    drawn = shares(first)
    assert 5 < drawn.count(500) < 35
    assert shares(same) == drawn
    assert shares(other) != drawn
    first.http.post("/_sandbox/reset")
    first.login()
    assert shares(first) == drawn, "a reset begins the sequence again"


def test_one_fault_does_not_disturb_the_chance_of_another(start: Start) -> None:
    alone, beside = start(), start()
    drawn = shares(alone)
    beside.fault("latency", seconds=1, share=0.5)
    beside.http.delete("/_sandbox/faults")
    alone.http.delete("/_sandbox/faults")
    second = shares(alone)
    beside.fault("status", status=500, share=0.3)
    beside.fault("latency", seconds=1, share=0.5)
    assert [beside.publish([event(n)]).status_code for n in range(60)] == second != drawn


def test_faults_are_cleared_one_by_one_or_all(sandbox: Driver) -> None:
    ids = [sandbox.fault("status", status=500 + n)["id"] for n in range(3)]
    left = sandbox.http.delete(f"/_sandbox/faults/{ids[0]}").json()
    assert (left["cleared"], [fault["id"] for fault in left["faults"]]) == (1, ids[1:])
    assert sandbox.http.delete("/_sandbox/faults").json() == {"cleared": 2, "faults": []}
    assert sandbox.publish([event()]).status_code == 200


def test_faults_are_bounded_and_spent_ones_make_room(sandbox: Driver) -> None:
    sandbox.fault("status", status=500, times=1)
    sandbox.publish([event()])
    for _ in range(100):
        sandbox.fault("latency", seconds=0)
    refused = sandbox.http.post("/_sandbox/faults", json={"kind": "cut"})
    assert refused.status_code == 400
    assert "100" in refused.json()["message"]


@pytest.mark.parametrize(
    ("request_body", "field", "says"),
    [
        ([], "body", "object"),
        ({}, "kind", "latency, stall, status, reset, close, cut"),
        ({"kind": "flood"}, "kind", "poison"),
        ({"kind": "latency"}, "seconds", "required"),
        ({"kind": "latency", "seconds": -1}, "seconds", "greater than or equal to 0"),
        ({"kind": "latency", "seconds": "1"}, "seconds", "number"),
        ({"kind": "latency", "seconds": 1, "second": 2}, "second", "seconds, jitter"),
        ({"kind": "status", "status": 200}, "status", "300"),
        ({"kind": "status", "status": 500, "when": "later"}, "when", "before, after"),
        ({"kind": "reset", "when": "later"}, "when", "during, before, after"),
        ({"kind": "poison", "status": 500}, "status", "400, 413, 422"),
        ({"kind": "cut", "times": 0}, "times", "greater than or equal to 1"),
        ({"kind": "cut", "share": 0}, "share", "greater than 0"),
        ({"kind": "cut", "share": 1.1}, "share", "less than or equal to 1"),
        ({"kind": "cut", "operation": "nothing"}, "operation", "publish_usage_events"),
    ],
)
def test_a_bad_fault_is_refused_by_field_with_what_is_allowed(
    sandbox: Driver, request_body: Any, field: str, says: str
) -> None:
    answer = sandbox.http.post("/_sandbox/faults", json=request_body)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert says in error["message"]
    assert answer.json()["message"] == f"{field}: {error['message']}"
    assert sandbox.state()["faults"] == []


def test_a_fault_that_is_no_json_is_refused(sandbox: Driver) -> None:
    assert sandbox.http.post("/_sandbox/faults", content=b"{").status_code == 400


def test_every_kind_has_a_test() -> None:
    here = Path(__file__)
    text = here.read_text() + here.with_name("test_list_faults.py").read_text()
    assert [kind for kind in KINDS if f'fault("{kind}"' not in text] == []
