"""Sample records for each stream, and now and then a bad one, the same for the same seed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from random import Random

from bridge.core.record import Doc

APPS = ("crm", "payroll", "wiki", "build-farm", "tickets", "intranet", "warehouse", "travel")
# One record in so many cannot be delivered, so that a demonstration shows the dead letters too.
BAD_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """A record as it goes onto the topic, and whether it can be delivered."""

    record: Doc
    good: bool


def usage_events(random: Random, now: Callable[[], float]) -> Iterator[Sample]:
    """Events of people at work; no two have the same timestamp, email and eventName."""
    actions = ("signed_in", "opened_file", "sent_message", "ran_report", "approved_request")
    for number in count(1):
        good = number % BAD_EVERY != 0
        person = f"{random.choice(('ada', 'alan', 'grace', 'edsger', 'barbara'))}.{number % 50_000}"
        record: Doc = {
            "app": random.choice(APPS),
            "timestamp": int(now() * 1000),
            "email": f"{person}@example.com" if good else "no address",
            "eventName": random.choice(actions),
        }
        yield Sample(record, good)


def users(random: Random, now: Callable[[], float]) -> Iterator[Sample]:
    """People who get accounts in apps."""
    for number in count(1):
        good = number % BAD_EVERY != 0
        record: Doc = {
            "app": random.choice(APPS),
            "email": f"employee.{number}@example.com" if good else "no address",
            "role": random.choice(("member", "admin", "guest")),
        }
        yield Sample(record, good)


def org_chart(random: Random, now: Callable[[], float]) -> Iterator[Sample]:
    """People who join the company, each under somebody who is there already."""
    for number in count(1):
        good = number % BAD_EVERY != 0
        record: Doc = {
            "email": f"employee.{number}@example.com" if good else "no address",
            "department": random.choice(("engineering", "sales", "finance", "people")),
            "title": random.choice(("engineer", "analyst", "lead")),
        }
        if number > 1:
            record["managerEmail"] = f"employee.{random.randrange(1, number)}@example.com"
        yield Sample(record, good)


def spend(random: Random, now: Callable[[], float]) -> Iterator[Sample]:
    """Payments for apps in several currencies, and credits among them."""
    for number in count(1):
        good = number % BAD_EVERY != 0
        cents = random.randrange(-2_000, 500_000)
        record: Doc = {
            "app": random.choice(APPS),
            "amount": Decimal(cents).scaleb(-2),
            "currency": random.choice(("EUR", "USD", "GBP")) if good else "gold",
            "date": f"2026-{random.randrange(1, 13):02}-{random.randrange(1, 29):02}",
            "description": f"invoice {number}",
        }
        yield Sample(record, good)


@dataclass(frozen=True, slots=True)
class Act:
    """A stream's part in the demonstration.

    `samples` gives its records, from a source of chance and a clock in seconds since 1970. `delivered` and
    `again` read the figures of an app, or of the company, in the sandbox: records the API took, and records
    it had taken before.
    """

    samples: Callable[[Random, Callable[[], float]], Iterator[Sample]]
    delivered: Callable[[Mapping[str, int]], int]
    again: Callable[[Mapping[str, int]], int]


ACTS = {
    "usage": Act(usage_events, lambda seen: seen["distinct"], lambda seen: seen["duplicates"]),
    # The API keeps a set of users, so it cannot tell a user sent again from one that changed.
    "users": Act(users, lambda seen: seen["posted"] + seen["deleted"], lambda seen: 0),
    # A person who came again is one sent again: nobody joins twice.
    "org_chart": Act(org_chart, lambda seen: seen["people"], lambda seen: seen["accepted"] - seen["people"]),
    # Two payments that look alike are two payments, so it cannot tell either.
    "spend": Act(spend, lambda seen: seen["accepted"], lambda seen: 0),
}
