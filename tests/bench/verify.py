"""One run against the sandbox, which tells every event from every other: all arrive, and none twice."""

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.bench.bridge_run import Variant, run_bridge
from tests.bench.committed import same
from tests.bench.track import Progress, Track


@dataclass(frozen=True, slots=True)
class Verified:
    """What the sandbox counted; `largest_batch` in events."""

    accepted: int
    distinct: int
    duplicates: int
    requests: int
    largest_batch: int
    peak: int


def verify(track: Track, progress: Progress) -> Verified:
    """Runs the bridge against the sandbox at the track's address.

    Raises:
        BenchFailed: an event is missing, came twice, was refused, or is still in the bridge's books.
    """
    usage, _ = run_bridge(track, lambda: _total(_state(track.api_url), "accepted"), progress, Variant())
    state = _state(track.api_url)
    same("exact identities", state["identity_exact"], True)
    same("apps at the API", len(state["apps"]), track.job.apps)
    verified = Verified(
        accepted=_total(state, "accepted"),
        distinct=_total(state, "distinct"),
        duplicates=_total(state, "duplicates"),
        requests=_total(state, "batches"),
        largest_batch=state["largest_batch"],
        peak=usage.peak,
    )
    same("distinct events", verified.distinct, track.job.events)
    same("duplicates", verified.duplicates, 0)
    return verified


def _state(api_url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{api_url}/_sandbox/state", timeout=60) as answer:
        state: dict[str, Any] = json.load(answer)
    return state


def _total(state: dict[str, Any], figure: str) -> int:
    return sum(app["usage"][figure] for app in state["apps"].values())
