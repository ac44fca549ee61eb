import orjson

from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver, event, events


def test_pages_show_every_event_in_order_with_duplicates(sandbox: Driver) -> None:
    for batch in (events(3), events(4, start=3), events(2)):
        sandbox.publish(batch)
    found, pages = [], 0
    offset: int | None = 0
    while offset is not None:
        pages += 1
        page = sandbox.http.get(f"/_sandbox/events?app=app-a&offset={offset}&limit=4").json()
        assert len(page["items"]) <= 4
        found += page["items"]
        offset = page["next_offset"]
    assert found == [*events(7), *events(2)]
    assert (page["total"], page["kept"], pages) == (9, 9, 3)


def test_pages_come_as_lines_too(sandbox: Driver) -> None:
    sandbox.publish(events(3))
    answer = sandbox.http.get("/_sandbox/events?app=app-a&offset=1&format=ndjson")
    assert [orjson.loads(line) for line in answer.text.splitlines()] == events(2, start=1)


def test_the_state_shows_content_when_asked(sandbox: Driver) -> None:
    sandbox.publish(events(2))
    content = sandbox.http.get("/_sandbox/state?content=true&app=app-a&limit=1").json()["content"]
    assert content["usage"]["items"] == events(1)
    assert "content" not in sandbox.state()


def test_content_is_bounded_by_records_per_app(start: Start) -> None:
    driver = start(keep_records_per_app=5)
    for batch in (events(3), events(3, start=3), events(1, start=6)):
        driver.publish(batch)
    driver.publish(events(5), app="app-b")
    page = driver.http.get("/_sandbox/events?app=app-a").json()
    assert (page["items"], page["total"], page["kept"]) == (events(3), 7, 3)
    assert driver.usage("app-b")["kept"] == 5


def test_content_is_bounded_by_bytes_over_all_apps(start: Start) -> None:
    driver = start(keep_bytes=1000)
    driver.publish([event(eventName="x" * 600)], app="app-a")
    driver.publish([event(eventName="x" * 600)], app="app-b")
    assert (driver.usage("app-a")["kept"], driver.usage("app-b")["kept"]) == (1, 0)


def test_bad_page_numbers_are_named(sandbox: Driver) -> None:
    for query in ("offset=-1", "offset=x", "limit=0", "limit=10001"):
        for path in ("/_sandbox/events", "/_sandbox/state"):
            answer = sandbox.http.get(f"{path}?content=true&{query}")
            assert answer.status_code == 400
            assert query.partition("=")[0] in answer.json()["message"]


def test_an_unknown_kind_of_content_names_those_there_are(sandbox: Driver) -> None:
    answer = sandbox.http.get("/_sandbox/nothing")
    assert answer.status_code == 404
    assert "events" in answer.json()["message"]


def test_a_reset_forgets_everything(sandbox: Driver) -> None:
    sandbox.publish(events(2), **{"idempotency-key": "k"})
    sandbox.call("POST", "/services/push/v1/customer/apps", json={"appName": "x"})
    sandbox.fault("latency", seconds=1)
    sandbox.http.post("/_sandbox/reset")
    state = sandbox.state()
    assert (state["apps"], state["requests"], state["faults"]) == ({}, {}, [])
    assert state["tokens"] == {"issued": 0, "live": 0}
    assert state["idempotency_keys"]["seen"] == 0
    sandbox.login()
    sandbox.publish(events(2))
    assert sandbox.usage()["duplicates"] == 0


def test_unknown_addresses_and_methods_are_counted(sandbox: Driver) -> None:
    assert sandbox.http.get("/services/push/v2").status_code == 404
    assert sandbox.http.get("/oauth2/token").status_code == 405
    assert sandbox.requests("unknown") == {"404": 1, "405": 1}


def test_health(sandbox: Driver) -> None:
    assert sandbox.http.get("/_sandbox/health").json() == {"status": "ok"}
