"""One run of a peer over a job's topic, until all has come and is committed."""

import secrets

from tests.bench.api import Counting
from tests.bench.committed import Group, same
from tests.bench.figures import Measured
from tests.bench.installed import CHECKOUT, Peer
from tests.bench.job import Job
from tests.bench.least import BATCH_RECORDS, SCHEMA
from tests.bench.track import RUN_SECONDS, START_SECONDS, STOP_SECONDS, Progress, Track
from tests.bench.watched import Watched

MOST_HELD = 100_000  # the bridge's own max_outstanding_records


def run_peer(peer: Peer, track: Track, progress: Progress) -> Measured:
    """Runs it as it would run at work, and ends it as an operator would.

    Raises:
        BenchFailed: an event is missing or came twice, or is not committed.
    """
    counting = Counting(track.api_url)
    counting.forget()
    told = _told(track)
    command = [*peer.command] if peer.takes_environment else [*peer.command, *told.values()]
    variables = told | {"SCHEMA": str(SCHEMA)} if peer.takes_environment else {}
    log = track.folder / "peer.log"
    with Watched(command, log, CHECKOUT, variables) as process:
        process.wait_for(lambda line: peer.ready in line, START_SECONDS)
        process.ready()

        def all_arrived() -> bool:
            progress(done := counting.events())
            return done >= track.job.events

        with _group(track, told["GROUP"]) as group:
            process.wait_until(all_arrived, RUN_SECONDS)
            process.wait_until(lambda: group.committed() >= track.job.events, STOP_SECONDS)
        usage = process.stop(STOP_SECONDS)
    same("events at the API", counting.events(), track.job.events)
    return Measured.of(counting.arrivals(), usage, process.began)


def _group(track: Track, name: str) -> Group:
    return Group(track.loaded.bootstrap, name, track.loaded.topic, track.job.partitions)


def gathered(job: Job) -> int:
    """How many records a peer may hold: enough for full batches of each app, within the bridge's bound."""
    return min(BATCH_RECORDS * job.apps, MOST_HELD)


def _told(track: Track) -> dict[str, str]:
    return {
        "BOOTSTRAP": track.loaded.bootstrap,
        "TOPIC": track.loaded.topic,
        "FORMAT": track.job.format.value,
        "API_URL": track.api_url,
        "GROUP": f"peer-{secrets.token_hex(4)}",
        "GATHER": str(gathered(track.job)),
    }
