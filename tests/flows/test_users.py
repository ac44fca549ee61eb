"""Provisioned users end exactly as the topic says last, whatever happens on the way."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.flows.process import balanced, eventually
from tests.flows.setting import Stage

APPS = ("crm", "wiki", "payroll")

Change = tuple[str, dict[str, Any] | bytes | None]


class Directory:
    """Hires, changes and dismisses people at random, and knows who has which account in the end."""

    def __init__(self, people: int) -> None:
        self._random = Random(7)
        self._people = people
        self.accounts: dict[tuple[str, str], str] = {}

    def changes(self, count: int) -> Iterator[Change]:
        """So many changes, as they go onto the topic."""
        for number in range(count):
            app, person = (
                self._random.choice(APPS),
                f"person{self._random.randrange(self._people)}@example.com",
            )
            key = f"{app}/{person}"
            if self._random.random() < 0.3:
                self.accounts.pop((app, person), None)
                yield key, None
            else:
                role = f"role {number}"
                self.accounts[app, person] = role
                # The API compares addresses without case, so the spelling must not matter.
                spelled = person.title() if number % 10 == 0 else person
                yield key, {"app": app, "email": spelled, "role": role}


def held(stage: Stage) -> dict[tuple[str, str], str]:
    """Who has an account in which app, by the API."""
    return {
        (app, user["email"].lower()): user["role"] for app in APPS for user in stage.content("users", app)
    }


def test_adds_changes_and_deletes_end_as_the_topic_says(users_stage: Stage) -> None:
    stage, directory = users_stage, Directory(500)
    total = stage.produce_keyed(directory.changes(5_000))
    bridge = stage.bridge().start()
    eventually(lambda: bridge.has_settled(total), "all settled")
    assert held(stage) == directory.accounts
    books = bridge.books()
    assert balanced(books)
    assert books["superseded"] > 0
    assert not stage.buried()


def test_100_000_users_with_faults_and_three_kills_end_as_the_topic_says(users_stage: Stage) -> None:
    """Also when answers are lost after acceptance, so that an older word is sent again."""
    stage, directory = users_stage, Directory(100_000)
    total = stage.produce_keyed(directory.changes(150_000))
    stage.fault(kind="status", status=503, share=0.1)
    stage.fault(kind="reset", when="after", share=0.1)
    stage.fault(kind="latency", seconds=0.05)
    bridge = stage.bridge(max_outstanding_records=10_000).start()
    for part in (0.2, 0.5, 0.8):
        eventually(lambda part=part: stage.committed() >= total * part, "some are committed")  # type: ignore[misc]
        bridge.kill()
        bridge.start()
    eventually(lambda: stage.committed() == total, "all are committed", 120)
    assert held(stage) == directory.accounts
    assert not stage.buried()
    assert balanced(bridge.books())


def test_order_per_user_holds_across_a_rebalance(users_stage: Stage) -> None:
    stage, directory = users_stage, Directory(200)
    stage.fault(kind="latency", seconds=0.05)
    first = stage.bridge(batch={"max_records": 100, "max_age_seconds": 0.2}).start()
    total = stage.produce_keyed(directory.changes(4_000))
    second = stage.bridge(batch={"max_records": 100, "max_age_seconds": 0.2}).start()
    eventually(lambda: second.metric("bridge_assigned_partitions") > 0, "the second has partitions")
    total += stage.produce_keyed(directory.changes(4_000))
    assert first.stop() == 0
    eventually(lambda: stage.committed() == total, "all are committed", 120)
    assert held(stage) == directory.accounts


@pytest.mark.parametrize("key", ["no slash", "crm/no address", ""])
def test_a_deletion_whose_key_names_nobody_is_a_dead_letter(users_stage: Stage, key: str) -> None:
    stage = users_stage
    good = {"app": "crm", "email": "ada@example.com"}
    stage.produce_keyed([(key, None), ("crm/ada@example.com", json.dumps(good).encode())])
    bridge = stage.bridge().start()
    eventually(lambda: bridge.books()["dead_lettered"] == 1, "the dead letter is written")
    eventually(lambda: bridge.books()["delivered"] == 1, "its neighbour is delivered")
    [dead] = stage.buried()
    assert dead.value() is None
    assert "no address" not in str(dead.headers())
