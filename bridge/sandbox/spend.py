"""Publish spend data: money, so amounts are exact and every acceptance is on record."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal
from typing import Any, NoReturn

from bridge.sandbox.call import ACCEPTED, Answer, Batch, Call, Operation, Page
from bridge.sandbox.config import CONNECTOR_WRITE, SandboxConfig
from bridge.sandbox.fields import text_problem
from bridge.sandbox.identities import Identities

MAX_EXPONENT = 30
"""Amounts may have this many digits before the point and after it."""
# A sum of 10^30 amounts of 30 digits on either side of the point still fits, so no addition ever rounds.
_EXACT = Context(prec=3 * MAX_EXPONENT)


@dataclass(slots=True)
class _App:
    accepted: int = 0
    repeated: int = 0
    batches: int = 0
    largest_batch: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)
    acceptances: list[dict[str, Any]] = field(default_factory=list)


class Spend:
    """The spend endpoint. A record accepted twice is counted twice: the API does not know it again."""

    name = "spend"
    content_path = "spend"

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self.reset()

    def operations(self) -> Sequence[Operation]:
        """The one call of this group."""
        path = "/services/push/v1/customer/apps/{app}/spend"
        batch = Batch("spendData", spend_problem, required=False, loads=exact_json)
        return [Operation("publish_spend_data", "POST", path, CONNECTOR_WRITE, self._publish, batch)]

    def _publish(self, call: Call) -> Answer:
        app = self._apps.setdefault(call.app, _App())
        app.batches += 1
        app.largest_batch = max(app.largest_batch, len(call.records))
        key = call.headers.get("idempotency-key")
        for record in call.records:
            self._accept(call.app, app, record, key)
        return ACCEPTED

    def _accept(self, name: str, app: _App, record: dict[str, Any], key: str | None) -> None:
        app.accepted += 1
        shown = {field: str(value) if field == "amount" else value for field, value in record.items()}
        text = f"{name}\n{json.dumps(shown, sort_keys=True, default=str)}"
        app.repeated += 1 - self._identities.add_all([text])
        if (amount := record.get("amount")) is not None:
            currency = record.get("currency") or ""
            app.sums[currency] = _EXACT.add(app.sums.get(currency, Decimal(0)), Decimal(amount))
        if len(app.acceptances) < self._config.keep_records_per_app:
            app.acceptances.append({"batch": app.batches, "idempotency_key": key, "record": shown})

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """Records accepted, those equal to an earlier one, and exact sums by currency, by app."""
        return {name: self._figures(app) for name, app in self._apps.items()}

    def _figures(self, app: _App) -> dict[str, Any]:
        return {
            "accepted": app.accepted,
            "repeated": app.repeated,
            "batches": app.batches,
            "largest_batch": app.largest_batch,
            "sums": {currency: f"{amount:f}" for currency, amount in sorted(app.sums.items())},
            "kept": len(app.acceptances),
            "identity_exact": self._identities.exact,
        }

    def page(self, app: str, offset: int, limit: int) -> Page:
        """Acceptances in order: the record, its amount as text, with its batch and the key that came."""
        found = self._apps.get(app, _App())
        return Page(found.acceptances[offset : offset + limit], found.accepted, len(found.acceptances))

    def reset(self) -> None:
        """Forgets all spend."""
        self._apps: dict[str, _App] = {}
        self._identities = Identities(self._config.max_identities)


def exact_json(body: bytes) -> Any:
    """Parses JSON with decimal fractions as they are written.

    Raises:
        ValueError: the body is not JSON; `NaN` and `Infinity` are not.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def spend_problem(record: Any) -> str | None:
    """What is wrong with one spend record, or None; the description requires no field."""
    if not isinstance(record, dict):
        return "a spend record must be an object"
    return (
        _amount_problem(record.get("amount"))
        or _date_problem(record)
        or text_problem(record, "currency", "description")
    )


def _amount_problem(amount: Any) -> str | None:
    if amount is None:
        return None
    if type(amount) not in (int, Decimal):
        return "amount must be a number"
    number = Decimal(amount)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -MAX_EXPONENT or number.adjusted() >= MAX_EXPONENT:
        return f"amount has more than {MAX_EXPONENT} digits before or after its point"
    return None


def _date_problem(record: dict[str, Any]) -> str | None:
    value = record.get("date")
    if value is None or (type(value) is str and _is_day(value)):
        return None
    return "date must be a day as YYYY-MM-DD"


def _is_day(text: str) -> bool:
    try:
        # Compared with its own writing, as Python reads other ISO forms too: 20260115, 2026-W03-4.
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
