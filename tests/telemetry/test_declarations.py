"""What every metric keeps to: names, help, labels and buckets, and that it is declared."""

import re
from typing import get_args

import pytest

from bridge.core.outcome import Outcome
from bridge.telemetry.declarations import BUCKETS, DECLARED
from tests.telemetry.in_use import used
from tests.telemetry.shown import families

# What a label may be, and how many values it can have at most.
BOUNDED = {
    "stream": "one of the streams",
    "operation": "one of the API calls",
    "outcome": "one of the outcomes",
    "reason": "one of the reasons that Refused lists",
    "limit": "consecutive or share",
    "field": "a field that a stream declares",
    "problem": "one of the few that a stream looks for",
    "result": "equal, applied, failed, or refused for one of a few reasons; done, an outcome, or a few more",
    "output": "one of the output topics' names",
    "cause": "one of the outcomes that make wait, or parked",
    "app": "one of as many apps as http.metrics_apps allows, or other",
    "partition": "a partition of the topic",
    "since": "kafka or event",
    "api": "push or export",
    "event": "assigned, revoked or lost",
    "kind": "posted, deleted, rejected; adds, changes, leavers",
    "version": "one in a process",
    "le": "a bucket",
}
THINGS = "Records|Requests|Rounds|Rows|Times|Entries|Partitions|Offsets|Apps|Seconds|Brokers|Connections"
UNITS = rf"^({THINGS}|1 (while|once)|The version)\b"
METRICS = families(used()[0])


@pytest.mark.parametrize("name", METRICS)
def test_its_name_is_ours_and_its_help_is_a_sentence_that_says_what_is_counted(name: str) -> None:
    assert re.fullmatch(r"bridge(_[a-z]+)+", name)
    help_text = METRICS[name].documentation
    assert re.match(UNITS, help_text), help_text
    assert help_text.endswith(".")
    assert name.endswith("_seconds") == help_text.startswith("Seconds")


@pytest.mark.parametrize("name", METRICS)
def test_its_labels_are_bounded(name: str) -> None:
    assert METRICS[name].samples, "one of everything has happened, and it shows nothing"
    for sample in METRICS[name].samples:
        assert sample.labels.keys() <= BOUNDED.keys()


def test_all_outcomes_have_labels_of_their_own() -> None:
    labels = [outcome.label for outcome in get_args(Outcome)]
    assert len(set(labels)) == len(labels) == 6
    assert all(re.fullmatch("[a-z_]+", label) for label in labels)


def test_what_is_declared_is_shown_and_nothing_else() -> None:
    assert METRICS.keys() == DECLARED.keys()
    for name, declared in DECLARED.items():
        assert METRICS[name].type == declared.kind
        labels = {label for sample in METRICS[name].samples for label in sample.labels}
        assert labels - {"le"} == set(declared.labels)


def test_buckets_reach_past_the_longest_request() -> None:
    assert BUCKETS["bridge_request_seconds"][-1] == 60


@pytest.mark.parametrize("name", BUCKETS)
def test_buckets_grow(name: str) -> None:
    assert DECLARED[name].buckets == tuple(sorted(set(BUCKETS[name])))
