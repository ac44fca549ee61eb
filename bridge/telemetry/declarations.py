"""Every metric of the bridge: name, labels, kind, meaning with its unit. Nothing else defines one.

Labels come from bounded sets only; docs/metrics.md lists their values. The first word of a meaning is the
unit: a number of these, seconds, or 1 while something is so.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Declaration:
    """One metric. `name` is without the ending that its kind brings; `buckets` are a histogram's."""

    kind: Kind
    name: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()

    @property
    def shown(self) -> str:
        """The name under which it is found."""
        return self.name + {"counter": "_total", "info": "_info"}.get(self.kind, "")


INFOS = {
    "bridge_build{version}": "The version that runs.",
}

BOOKS = {
    "bridge_records_received{stream}": "Records read from the topic.",
    "bridge_records_delivered{stream}": "Records that the Productiv API accepted.",
    "bridge_records_dead_lettered{stream}": "Records that the dead-letter topic acknowledged.",
    "bridge_records_superseded{stream}": (
        "Records that were not sent, as another stands for them: an identical one, or a newer snapshot."
    ),
    "bridge_records_in_doubt{stream}": (
        "Records put on the in-doubt topic, as nobody knows whether the Productiv API took them."
    ),
    "bridge_records_settled_before{stream}": (
        "Records read again that the delivery journal knows as settled, and so not sent again."
    ),
    "bridge_records_parked{stream}": (
        "Records put on the parking topic, as their app has failed for too long."
    ),
    "bridge_records_handed_over{stream}": (
        "Records given up with their partition while outstanding; the next owner reads them again."
    ),
}
"""The columns of a stream's books, counted by the engine."""

COUNTERS = {
    "bridge_wait_seconds{stream,cause}": (
        "Seconds that apps were made to wait after failures, by the outcome, added up over the apps."
    ),
    "bridge_retries{stream}": "Requests that sent a batch, or a part of one, once more.",
    "bridge_dead_letters{stream,reason}": "Records written to the dead-letter topic, by reason.",
    "bridge_findings{stream,field,problem}": (
        "Records that are valid each by themselves and odd beside the others, by field and problem."
    ),
    "bridge_records_emitted{stream,output}": "Records committed to an output topic, null values among them.",
    "bridge_rounds{stream,result}": "Rounds of a source, by result: done, or what kept it from its end.",
    "bridge_rows_polled{stream}": "Rows of the Productiv API's answers that a source looked at, new or not.",
    "bridge_gap_seconds{stream}": (
        "Seconds of time that a source can never read, as the Productiv API no longer has them."
    ),
    "bridge_overlaps_shortened{stream}": (
        "Rounds in which a source read less than its overlap again, as too many ids came in it."
    ),
    "bridge_requests{operation,outcome}": "Requests to the Productiv API, by what they came to.",
    "bridge_rate_limit_turns{api}": "Requests that took their turn under the rate limit.",
    "bridge_rate_limit_wait_seconds{api}": (
        "Seconds that requests waited for their turn under the rate limit, added up."
    ),
    "bridge_rebalances{stream,event}": "Times that partitions were given to this process or taken from it.",
    "bridge_kafka_disconnects{stream}": "Connections of the stream's consumer to brokers that ended.",
    "bridge_reconciled_apps{stream,result}": (
        "Apps that the scheduled job reconciled, by result: equal, applied, failed, or refused_ and why."
    ),
    "bridge_reconciled_records{stream,kind}": (
        "Records that the scheduled job posted, deleted, or had rejected by the API."
    ),
    "bridge_reconcile_differences{stream,kind}": (
        "Records that the scheduled job found to differ: adds, changes and leavers, mended or not."
    ),
}

GAUGES = {
    "bridge_start_time_seconds": "Seconds since 1970 at which the process began.",
    "bridge_records_outstanding{stream}": "Records received and not yet settled.",
    "bridge_in_doubt_waiting_records{stream}": (
        "Records on the in-doubt topic that nobody has decided about, whichever process put them there."
    ),
    "bridge_in_doubt_oldest_timestamp_seconds{stream}": (
        "Seconds since 1970 at which the oldest of these was put there; absent if there is none."
    ),
    "bridge_records_gathering{stream}": "Records held until the whole they belong to is complete.",
    "bridge_lag_records{stream}": "Offsets between what is settled and the end of the topic.",
    "bridge_lag_seconds{stream}": (
        "Seconds since the Kafka timestamp of the oldest record that is not settled; 0 if none waits."
    ),
    "bridge_partition_lag_records{stream,partition}": (
        "Offsets between what is settled and the end of a partition."
    ),
    "bridge_requests_in_flight{stream}": "Requests to the API under way.",
    "bridge_concurrency_limit{stream}": (
        "Requests to the API that may be under way now: as many as it bears, up to in_flight."
    ),
    "bridge_assigned_partitions{stream}": "Partitions that this process reads.",
    "bridge_lanes_waiting{stream,cause}": (
        "Apps whose records wait after a failure, by the outcome that makes them wait."
    ),
    "bridge_apps_parked{stream}": (
        "Apps whose records go to the parking topic, until what is there of them is delivered."
    ),
    "bridge_app_held_up{stream,app,cause}": (
        "1 while records of this app wait after a failure or are parked, as many as there are for `other`."
    ),
    "bridge_denied{stream}": "1 while the API refuses the credentials.",
    "bridge_flood_guard_tripped{stream,limit}": (
        "1 while the stream is stopped because too many records were refused, by the limit that was reached."
    ),
    "bridge_source_owned{stream}": "1 while this process is the one that polls the source.",
    "bridge_cursor_timestamp_seconds{stream}": (
        "Seconds since 1970 up to which the source has read everything; absent where it is not ours."
    ),
    "bridge_cursor_entries{stream}": "Entries of the source's cursor; absent where it is not ours.",
    "bridge_token_age_seconds": (
        "Seconds since the oldest of the access tokens in use was asked for; absent while there is none."
    ),
    "bridge_token_left_seconds": (
        "Seconds until the first of the access tokens in use ends, below 0 once it has; absent while one "
        "is missing."
    ),
    "bridge_rate_limit{api}": (
        "Requests a second that this process may send at most; absent where there is no limit."
    ),
    "bridge_kafka_round_trip_seconds{stream}": (
        "Seconds of a round trip to the broker that coordinates the consumer group, as a median."
    ),
    "bridge_kafka_connections{stream}": "Connections of the stream's consumer to brokers.",
    "bridge_kafka_connections_failing{stream}": (
        "Connections of the stream's consumer to brokers that it wants and cannot have."
    ),
    "bridge_kafka_fetched_records{stream}": (
        "Records fetched from the brokers that the bridge has not taken yet."
    ),
}

HISTOGRAMS = {
    "bridge_batch_records{stream}": "Records in each accepted batch.",
    "bridge_delay_seconds{stream,since}": (
        "Seconds from the Kafka timestamp of the first record of a batch until the API accepted it, or "
        "from its event time, where the stream's records tell one."
    ),
    "bridge_round_seconds{stream}": "Seconds that a round of a source took.",
    "bridge_late_seconds{stream}": (
        "Seconds by which late records lay before what had been read; keep the overlap above."
    ),
    "bridge_request_seconds{operation}": (
        "Seconds from sending a request to the Productiv API until its outcome was known."
    ),
}

BUCKETS = {
    "bridge_batch_records": (1, 10, 50, 100, 250, 500, 750, 900, 999, 1000),
    "bridge_delay_seconds": (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400),
    # Milliseconds for a healthy API, up to its read timeout and beyond.
    "bridge_request_seconds": (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    "bridge_round_seconds": (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400),
    # Up to some hours: what an overlap may be set to.
    "bridge_late_seconds": (60, 300, 600, 900, 1200, 1800, 2700, 3600, 7200, 14400, 43200, 86400),
}


def _read(kind: Kind, texts: Mapping[str, str]) -> list[Declaration]:
    found = []
    for text, meaning in texts.items():
        name, *labels = re.findall(r"\w+", text)
        found.append(Declaration(kind, name, tuple(labels), meaning, BUCKETS.get(name, ())))
    return found


COLUMNS = _read("counter", BOOKS)
DECLARED = {
    each.name: each
    for each in (
        *_read("info", INFOS),
        *COLUMNS,
        *_read("gauge", GAUGES),
        *_read("counter", COUNTERS),
        *_read("histogram", HISTOGRAMS),
    )
}
"""All of them, by name."""
