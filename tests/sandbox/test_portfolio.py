from typing import Any

import pytest

from bridge.sandbox import CONNECTOR_WRITE, PortfolioPlan
from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver, Hands

SUMMARIES = "/services/export/v1/customer/app-summaries"
REGISTER = "/services/push/v1/customer/apps"


def summaries(driver: Driver) -> dict[str, dict[str, Any]]:
    answer = driver.call("GET", SUMMARIES)
    assert answer.status_code == 200, answer.text
    return {app["ApplicationId"]: app for app in answer.json()["apps"]}


def details(driver: Driver, app: str) -> dict[str, Any]:
    answer = driver.call("GET", f"/services/export/v1/customer/app-details/{app}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def put(driver: Driver, app: str, **fields: Any) -> Any:
    answer = driver.http.put(f"/_sandbox/portfolio/{app}", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def content(driver: Driver) -> dict[str, dict[str, Any]]:
    return {app["ApplicationId"]: app for app in driver.http.get("/_sandbox/portfolio").json()["items"]}


def test_apps_have_summaries_and_details_with_the_fields_of_the_api(start: Start) -> None:
    driver = start(portfolio=PortfolioPlan(8))
    apps = summaries(driver)
    assert len(apps) == 8
    for app, summary in apps.items():
        found = details(driver, app)
        assert summary.keys() == {"ApplicationId", "AppName", "AppStatus", "VendorName", "AppCategory"}
        assert found.items() >= {name: summary[name] for name in summary if name != "AppCategory"}.items()
        assert all({"instanceId", "instanceName"} == instance.keys() for instance in found["Instances"])
        assert 0 <= found["Activity"]["activeUsers"] <= found["Activity"]["totalUsers"]
        assert found["Contracts"][0]["startDate"] < found["Contracts"][0]["endDate"]
        assert found["FiscalSpend"]["totalSpend"] > 0
        assert isinstance(found["Compliance"]["standards"], list)
        assert isinstance(found["SSOProtocols"], list)
        assert content(driver)[app] == {**summary, **found}
    assert driver.state()["company"] == {"portfolio": {"apps": 8}}


def test_registered_apps_are_part_of_it_and_have_details(start: Start) -> None:
    driver = start(portfolio=PortfolioPlan(1))
    app = driver.call("POST", REGISTER, json={"appName": "Board", "appCategory": "Design"}).json()["appId"]
    assert summaries(driver).keys() == {"saas-1", app}
    assert (details(driver, app)["AppName"], details(driver, app)["VendorName"]) == ("Board", "Board")
    assert content(driver)[app]["AppCategory"] == "Design"
    put(driver, app, AppStatus="Retired")
    assert summaries(driver)[app]["AppStatus"] == details(driver, app)["AppStatus"] == "Retired"
    driver.http.delete(f"/_sandbox/portfolio/{app}")
    assert summaries(driver).keys() == content(driver).keys() == {"saas-1"}
    put(driver, app)
    assert details(driver, app)["AppStatus"] == "Approved", "it is back, and as it was"


def test_apps_are_added_changed_and_taken_away_by_hand(sandbox: Driver) -> None:
    added = put(sandbox, "crm", AppName="CRM", FiscalSpend={"totalSpend": 1.25, "currency": "EUR"})
    assert summaries(sandbox)["crm"]["AppName"] == "CRM"
    assert details(sandbox, "crm")["FiscalSpend"] == {"totalSpend": 1.25, "currency": "EUR"}
    assert put(sandbox, "crm", Contracts=None) == {**added, "Contracts": None}
    assert sandbox.http.delete("/_sandbox/portfolio/crm").json()["AppName"] == "CRM"
    assert sandbox.http.delete("/_sandbox/portfolio/crm").status_code == 404
    assert summaries(sandbox) == {}
    assert put(sandbox, "crm")["AppName"] != "CRM", "nothing of its past comes back"


def test_unknown_apps_are_404_also_where_any_id_may_be_pushed_to(sandbox: Driver) -> None:
    answer = sandbox.call("GET", "/services/export/v1/customer/app-details/nobody")
    assert (answer.status_code, answer.json()["message"]) == (404, "there is no such application")


@pytest.mark.parametrize("fields", [{"ApplicationId": "x"}, {"Colour": "red"}, 5])
def test_bad_fields_by_hand_are_400(sandbox: Driver, fields: Any) -> None:
    answer = sandbox.http.put("/_sandbox/portfolio/crm", json=fields)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert summaries(sandbox) == {}


def test_apps_by_hand_are_bounded(start: Start) -> None:
    driver = start(max_apps=1)
    statuses = [driver.http.put(f"/_sandbox/portfolio/{name}", json={}).status_code for name in "aba"]
    assert statuses == [200, 400, 200]


def test_apps_come_change_and_go_with_the_clock(start: Start, hands: Hands) -> None:
    driver = start(portfolio=PortfolioPlan(3, churn_seconds=60), export_rate_limit=None)
    came = went = details_changed = summaries_changed = 0
    before = content(driver)
    hands.now += 59
    assert content(driver) == before
    hands.now += 1
    sizes = set[int]()
    for _ in range(120):
        after = content(driver)
        (changed,) = [app for app in before.keys() | after.keys() if before.get(app) != after.get(app)]
        came += changed not in before
        went += changed not in after
        if changed in before and changed in after:
            details_changed += before[changed]["Activity"] != after[changed]["Activity"]
            summaries_changed += before[changed]["AppStatus"] != after[changed]["AppStatus"]
        sizes.add(len(after))
        before = after
        hands.now += 60
    assert sizes == {2, 3, 4, 5, 6}, "from half as many as planned to twice as many"
    assert min(came, went, summaries_changed) >= 3
    assert details_changed > summaries_changed


def test_nobody_looking_changes_nothing_and_the_seed_decides(start: Start, hands: Hands) -> None:
    plan = PortfolioPlan(10, churn_seconds=60)
    watched, unwatched, other = (start(portfolio=plan, seed=seed) for seed in (1, 1, 2))
    for _ in range(20):
        hands.now += 97
        content(watched)
    assert content(watched) == content(unwatched) != content(other)
    watched.http.post("/_sandbox/reset")
    hands.now += 10
    unwatched.http.post("/_sandbox/reset")
    assert content(watched) == content(unwatched)
    assert len(content(watched)) == 10


def test_a_fault_for_one_app_meets_its_details(start: Start) -> None:
    driver = start(portfolio=PortfolioPlan(2))
    driver.fault("status", status=500, app="saas-1")
    assert driver.call("GET", "/services/export/v1/customer/app-details/saas-1").status_code == 500
    assert details(driver, "saas-2")


def test_details_need_the_reading_scope(sandbox: Driver) -> None:
    sandbox.login(scope=CONNECTOR_WRITE)
    assert sandbox.call("GET", "/services/export/v1/customer/app-details/x").status_code == 403
