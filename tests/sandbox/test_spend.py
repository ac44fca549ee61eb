from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sandbox.spend import exact_json, spend_problem
from tests.sandbox.conftest import Start
from tests.sandbox.driver import Driver

PATH = "/services/push/v1/customer/apps/app-a/spend"


def publish(driver: Driver, *records: str, key: str = "") -> int:
    body = '{"spendData": [' + ",".join(records) + "]}"
    headers = {"content-type": "application/json", **({"idempotency-key": key} if key else {})}
    return driver.call("POST", PATH, content=body.encode(), headers=headers).status_code


def figures(driver: Driver) -> dict[str, object]:
    found: dict[str, object] = driver.state()["apps"]["app-a"]["spend"]
    return found


def test_sums_are_exact_by_currency(sandbox: Driver) -> None:
    assert publish(sandbox, '{"amount": 0.1, "currency": "EUR"}', '{"amount": 0.2, "currency": "EUR"}') == 200
    assert publish(sandbox, '{"amount": 12345678901234567890.123456789, "currency": "USD"}') == 200
    assert publish(sandbox, '{"amount": -0.05, "currency": "EUR"}', '{"amount": 7, "currency": "USD"}') == 200
    assert figures(sandbox)["sums"] == {"EUR": "0.25", "USD": "12345678901234567897.123456789"}
    assert (figures(sandbox)["accepted"], figures(sandbox)["batches"], figures(sandbox)["largest_batch"]) == (
        5,
        3,
        2,
    )


def test_every_acceptance_is_on_record_with_its_key_and_its_amount_as_written(sandbox: Driver) -> None:
    record = '{"amount": 12.10, "currency": "EUR", "date": "2026-01-15", "description": "d"}'
    publish(sandbox, record, key="k1")
    publish(sandbox, record, '{"amount": 1}')
    shown = {"amount": "12.10", "currency": "EUR", "date": "2026-01-15", "description": "d"}
    page = sandbox.http.get("/_sandbox/spend?app=app-a").json()
    assert page["items"] == [
        {"batch": 1, "idempotency_key": "k1", "record": shown},
        {"batch": 2, "idempotency_key": None, "record": shown},
        {"batch": 2, "idempotency_key": None, "record": {"amount": "1"}},
    ]
    assert figures(sandbox)["repeated"] == 1
    assert figures(sandbox)["sums"] == {"": "1", "EUR": "24.20"}


def test_records_kept_are_bounded_and_the_sum_is_not(start: Start) -> None:
    driver = start(keep_records_per_app=2)
    publish(driver, *['{"amount": 1, "currency": "EUR"}'] * 5)
    assert (figures(driver)["kept"], figures(driver)["sums"]) == (2, {"EUR": "5"})


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ("5", "object"),
        ('{"amount": "1.5"}', "amount"),
        ('{"amount": true}', "amount"),
        ('{"amount": 1e30}', "amount"),
        ('{"amount": 1e-31}', "amount"),
        ('{"date": "15.01.2026"}', "date"),
        ('{"date": "2026-02-30"}', "date"),
        ('{"date": "20260115"}', "date"),
        ('{"date": "2026-W03-4"}', "date"),
        ('{"date": 20260115}', "date"),
        ('{"currency": 978}', "currency"),
        ('{"description": []}', "description"),
    ],
)
def test_a_bad_record_is_named(sandbox: Driver, record: str, field: str) -> None:
    answer = sandbox.call(
        "POST",
        PATH,
        content=f'{{"spendData": [{{}}, {record}]}}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["index"] == 1
    assert field in error["message"]
    assert sandbox.state()["apps"] == {}


@pytest.mark.parametrize(
    "body", ['{"spendData": [{"amount": NaN}]}', "[" * 100_000, '{"spendData": 5}', "[]"]
)
def test_a_body_of_another_shape_is_400(sandbox: Driver, body: str) -> None:
    answer = sandbox.call("POST", PATH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


def test_no_field_is_required_not_even_the_list(sandbox: Driver) -> None:
    assert publish(sandbox, "{}") == 200
    assert sandbox.call("POST", PATH, json={}).status_code == 200


def test_a_thousand_at_a_time(sandbox: Driver) -> None:
    assert publish(sandbox, *["{}"] * 1000) == 200
    assert publish(sandbox, *["{}"] * 1001) == 400


def test_reset_forgets_spend(sandbox: Driver) -> None:
    publish(sandbox, "{}")
    sandbox.http.post("/_sandbox/reset")
    sandbox.login()
    publish(sandbox, "{}")
    assert (figures(sandbox)["accepted"], figures(sandbox)["repeated"]) == (1, 0)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**15), max_value=10**15))
def test_an_amount_keeps_every_digit_it_was_written_with(amount: Decimal) -> None:
    record = exact_json(f'{{"amount": {amount:f}}}'.encode())
    assert str(Decimal(record["amount"])) == str(Decimal(f"{amount:f}"))
    assert spend_problem(record) is None
