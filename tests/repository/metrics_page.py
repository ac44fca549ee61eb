"""Writes docs/metrics.md: python -m tests.repository.metrics_page > docs/metrics.md"""

from collections.abc import Iterable

from bridge.telemetry.declarations import DECLARED, Declaration

HEAD = """\
# Metrics

What `GET /metrics` of the operations port shows, in the Prometheus text format, or as OpenMetrics to
whoever asks for it. This page is written from the code by
`python -m tests.repository.metrics_page > docs/metrics.md`, and a test compares the two.

"""

FOOT = """
A histogram shows `_bucket` (with the label `le`), `_sum` and `_count`. Counters and histograms also show
`_created`, the time at which they began. Counters begin at 0 when the process starts. The gauges hold for
this process; add them up over all of them. Only what waits on the in-doubt topic is seen alike by all, so
take the greatest of `bridge_in_doubt_waiting_records` and the least of
`bridge_in_doubt_oldest_timestamp_seconds`, whose age is `time()` less that.

With [several workers](workers.md) the page holds what each of them shows, and every sample has one more
label, `worker`. They are processes like any other: what is said here of adding up holds for them too.

Delay and lag in seconds count from Kafka timestamps, so they are as true as the clocks of the producers.
`bridge_delay_seconds` is observed once a batch, for its first record, the one that waited longest. The
metrics that begin with `bridge_kafka_` are what librdkafka tells every 5 seconds; `kafka.settings` may set
another `statistics.interval.ms`, and 0 turns them off. Histograms are classic ones: prometheus-client makes
no native ones.

The books of a stream balance in every scrape:

    bridge_records_received_total
      = bridge_records_delivered_total
      + bridge_records_dead_lettered_total
      + bridge_records_superseded_total
      + bridge_records_in_doubt_total
      + bridge_records_settled_before_total
      + bridge_records_parked_total
      + bridge_records_handed_over_total
      + bridge_records_outstanding

## Labels

Each label has a handful of values; no e-mail address or topic is ever among them, and an app only where
its records wait, and while there are few of these.

| Label | Values |
| --- | --- |
| `stream` | the streams that run, such as `usage`, and `usage.parked` for what comes from its parking topic |
| `operation` | the API calls, such as `publish_usage_events` |
| `outcome` | `accepted`, `throttled`, `unavailable`, `in_doubt`, `rejected`, `denied` |
| `result` | of reconciling an app: `equal`, `applied`, `failed`, or `refused_` and why; \
of a source's round: `done`, an outcome, `future`, `not_as_described`, `refused`, `vanished` |
| `output` | the topics that sources fill, by the names of their files in `topics/` |
| `kind` | of what was found: `adds`, `changes`, `leavers`; done: `posted`, `deleted`, `rejected` |
| `reason` | `undecodable`, `invalid`, `unknown_app`, `too_large`, `rejected` |
| `limit` | the limit of the flood guard: `consecutive`, `share` |
| `field` | the declared field that a finding is about: `managerEmail`, `snapshot` |
| `problem` | what was found: `unknown`, `cycle`, `late` |
| `cause` | `throttled`, `unavailable`, `in_doubt`, `denied`; of an app also `parked` |
| `app` | the first `http.metrics_apps` apps by name of those that are held up; `other`: all others together |
| `partition` | the partitions of the stream's topic that this process reads |
| `since` | `kafka`: the Kafka timestamp; `event`: the event's own time, which only `usage` has |
| `api` | `export`: what sources ask; `push`: all else |
| `event` | `assigned`; `revoked`: in order; `lost`: too late, another member has them already |
| `version` | the version of the bridge |
| `worker` | with several workers: the number of the worker, from 0 |
"""


def page() -> str:
    """The whole file."""
    rows = "".join(f"{row}\n" for row in table(DECLARED.values()))
    return HEAD + rows + FOOT


def table(metrics: Iterable[Declaration]) -> list[str]:
    """A line for each metric."""
    lines = ["| Metric | Type | Labels | Meaning and unit |", "| --- | --- | --- | --- |"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        cells = (f"`{metric.shown}`", metric.kind, labels, metric.meaning)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    print(page(), end="")
