from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver

PATH = "/services/push/v1/customer/apps/app-a/users"


def add(sandbox: Driver, *users: Any) -> int:
    return sandbox.call("POST", PATH, json={"users": users}).status_code


def remove(sandbox: Driver, *emails: Any) -> int:
    return sandbox.call("DELETE", PATH, json={"users": [{"email": email} for email in emails]}).status_code


def held(sandbox: Driver) -> Any:
    return sandbox.call("GET", PATH).json()["users"]


def test_post_adds_and_updates_and_does_not_replace(sandbox: Driver) -> None:
    ann, bob = {"email": "ann@x.com", "role": "admin"}, {"email": "bob@x.com", "firstName": "Bob"}
    assert add(sandbox, ann) == 200
    assert add(sandbox, bob, {"email": "Ann@X.com", "role": "user"}) == 200
    assert held(sandbox) == [{"email": "Ann@X.com", "role": "user"}, bob]
    assert sandbox.http.get("/_sandbox/users?app=app-a&offset=1").json()["items"] == [bob]


def test_delete_takes_out_whatever_the_case_and_counts_the_unknown(sandbox: Driver) -> None:
    add(sandbox, {"email": "ann@x.com"}, {"email": "bob@x.com"})
    assert remove(sandbox, "ANN@x.com", "nobody@x.com") == 200
    assert held(sandbox) == [{"email": "bob@x.com"}]
    assert sandbox.state()["apps"]["app-a"]["users"] == {
        "users": 1,
        "posted": 2,
        "deleted": 1,
        "deleted_unknown": 1,
        "batches": 2,
        "largest_batch": 2,
    }


def test_an_app_without_users_has_an_empty_list(sandbox: Driver) -> None:
    assert held(sandbox) == []
    assert "users" not in sandbox.state()["apps"].get("app-a", {})


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_thousand_at_a_time(sandbox: Driver, method: str) -> None:
    users = [{"email": f"u{n}@x.com"} for n in range(1001)]
    assert sandbox.call(method, PATH, json={"users": users[:1000]}).status_code == 200
    assert sandbox.call(method, PATH, json={"users": users}).status_code == 400


@pytest.mark.parametrize("user", [5, {}, {"email": "x"}, {"email": "a@x.com", "role": 1}])
def test_a_bad_user_is_named(sandbox: Driver, user: Any) -> None:
    answer = sandbox.call("POST", PATH, json={"users": [{"email": "good@x.com"}, user]})
    assert answer.status_code == 400
    assert [error["index"] for error in answer.json()["errors"]] == [1]
    assert held(sandbox) == []


def test_a_bad_removal_is_named(sandbox: Driver) -> None:
    assert remove(sandbox, "nobody") == 400


def test_users_are_bounded_over_all_apps(start: Start) -> None:
    driver = start(max_held=2)
    assert add(driver, {"email": "a@x.com"}, {"email": "b@x.com"}) == 200
    other = PATH.replace("app-a", "app-b")
    assert driver.call("POST", other, json={"users": [{"email": "a@x.com"}]}).status_code == 400


def test_reset_forgets_users(sandbox: Driver) -> None:
    add(sandbox, {"email": "ann@x.com"})
    sandbox.http.post("/_sandbox/reset")
    sandbox.login()
    assert held(sandbox) == []


STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["a@x.com", "A@x.com", "b@x.com", "B@X.com"])), max_size=8
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(STEPS)
def test_the_set_is_what_the_last_words_made_it(sandbox: Driver, steps: list[tuple[bool, str]]) -> None:
    sandbox.http.post("/_sandbox/reset")
    sandbox.login()
    model = set[str]()
    for adds, email in steps:
        if adds:
            add(sandbox, {"email": email})
            model.add(email.lower())
        else:
            remove(sandbox, email)
            model.discard(email.lower())
    assert {user["email"].lower() for user in held(sandbox)} == model
