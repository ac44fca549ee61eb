"""Spend: what an app cost, when. Money: exact to the last digit, and never sent twice on our own account."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, NotRequired

from pydantic import AfterValidator, BeforeValidator, Field
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on only

from bridge.core.stream import LaneBy, Operation, SinkStream
from bridge.streams.currencies import CURRENCIES

PLACES = 9
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?")


def _written_out(amount: object) -> object:
    """Lets through what says an amount exactly: a whole or decimal number, or plain text of one."""
    if isinstance(amount, str) and _PLAIN_NUMBER.fullmatch(amount):
        return amount
    # A float has lost its digits before it comes here; true is a number to Python only.
    if isinstance(amount, int | Decimal) and not isinstance(amount, bool):
        return amount
    raise ValueError("no exact number")


def _written_down(amount: Decimal) -> Decimal:
    """Refuses places that no schema has, also where they hold zeros."""
    if int(amount.as_tuple().exponent) < -PLACES:
        raise ValueError("too many places")
    return amount


def _known_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("no currency")
    return code


def _real_day(day: str) -> str:
    date.fromisoformat(day)
    return day


# 29 digits before the point and 9 after it are what an Avro decimal of precision 38 and scale 9 holds.
Amount = Annotated[
    Decimal,
    BeforeValidator(_written_out),
    Field(
        max_digits=38,
        decimal_places=PLACES,
        allow_inf_nan=False,
        description="the amount as a decimal number such as -12.50, at most 29 digits before and 9 after the "
        "point",
    ),
    AfterValidator(_written_down),
]
Currency = Annotated[
    str, AfterValidator(_known_currency), Field(description="an ISO 4217 currency code such as EUR")
]
Day = Annotated[
    str,
    Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="a day as YYYY-MM-DD"),
    AfterValidator(_real_day),
]
Description = Annotated[str, Field(max_length=1024, description="text of at most 1024 characters")]


class SpendRecord(TypedDict):
    """One payment or credit as the API takes it (API description, publishSpendData).

    The description requires no field. We do: an amount is nothing without its currency and its day.
    """

    amount: Amount
    currency: Currency
    date: Day
    description: NotRequired[Description | None]


# Two equal records are two payments: nothing makes them the same, and the API counts each that it takes.
SPEND = SinkStream(
    name="spend",
    operation=Operation.PUBLISH_SPEND,
    record=SpendRecord,
    identity=(),
    resend_safe=False,
    lane=LaneBy.APP_AND_PARTITION,
    exact=True,
)
