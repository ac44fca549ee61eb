"""The rules by which the page finds what is wrong."""

from collections.abc import Iterator

from bridge.telemetry.status.cause import Cause, Section, Weight, Whose
from bridge.telemetry.status.facts import Apps, Facts, NoToken, SinkFacts, SourceFacts

FRESH_SECONDS = 600.0
"""For how long dead letters are news, and over how long a lag must have grown."""

STILL_SECONDS = 60.0
"""For how long records must have waited, and none gone through, before that is said."""

GROWN_RECORDS, GROWN_SHARE = 1000, 0.2
_PASSING = {"throttled", "unavailable", "in_doubt"}


def causes(facts: Facts) -> list[Cause]:
    """All that is wrong, the worst first."""
    found = [_of_token(stream, missing) for stream, missing in facts.no_token.items()]
    for sink in facts.sinks:
        found += _of_api(sink) if sink.name not in facts.no_token else ()  # or it would be said twice
        found += _of_records(sink, facts.now)
        found += _of_progress(sink)
        found += _of_kafka(sink)
    for source in facts.sources:
        found += _of_source(source)
        found += _of_kafka(source)
    return sorted(found, key=lambda cause: list(Weight).index(cause.weight))


def _of_token(stream: str, missing: NoToken) -> Cause:
    said = f"There is no access token, so nothing can be sent or asked: {missing.words}."
    if missing.denied:
        todo = (
            "Check productiv.client_id, the secret and productiv.token_url. A secret in a file is read again "
            "for each try, so no restart is needed."
        )
        return Cause(Weight.STOPPED, (stream,), said, Whose.ACCESS, todo, Section.DENIED)
    todo = "See whether productiv.token_url can be reached from here. The bridge tries on by itself."
    return Cause(Weight.STOPPED, (stream,), said, Whose.PRODUCTIV, todo, Section.UNAVAILABLE)


def _of_kafka(stream: SinkFacts | SourceFacts) -> Iterator[Cause]:
    if stream.kafka_trouble is not None:
        yield Cause(
            Weight.STOPPED,
            (stream.name,),
            f"Kafka and the bridge do not talk: {stream.kafka_trouble}.",
            Whose.KAFKA,
            "See whether the brokers run and can be reached from here, and whether certificate and password "
            "are those they expect. The bridge tries on by itself.",
            Section.KAFKA,
        )


def _of_api(sink: SinkFacts) -> Iterator[Cause]:
    if sink.denied:
        yield Cause(
            Weight.STOPPED,
            (sink.name,),
            f"Productiv refuses our credentials: {_named(sink.waiting)}.",
            Whose.ACCESS,
            "Have the API client's secret and its scopes checked. A secret in a file is read again for each "
            "token, so no restart is needed.",
            Section.DENIED,
        )
    elif sink.waiting.count:
        yield _waiting(sink)
    if sink.parked.count:
        yield Cause(
            Weight.WAITING,
            (sink.name,),
            f"{_apps(sink.parked)} parked, having failed for too long: {_named(sink.parked)}. Others flow.",
            Whose.PRODUCTIV,
            f"Nothing is lost. The row {sink.name}.parked says what the API answers for them; look whether "
            "these apps are still there at Productiv.",
            Section.APP_FAILS,
        )


def _waiting(sink: SinkFacts) -> Cause:
    said = f"{_apps(sink.waiting)} waiting: {_named(sink.waiting)}."
    if set(sink.waiting.named.values()) == {"throttled"}:
        todo = "Productiv asks us to slow down. If that lasts, lower productiv.requests_per_second."
        return Cause(Weight.WAITING, (sink.name,), said, Whose.PRODUCTIV, todo, Section.THROTTLED)
    todo = "Nothing is lost, and the bridge tries on by itself. If it lasts, ask Productiv's support."
    if sink.flow.rate:
        said += " Others flow."
        return Cause(Weight.WAITING, (sink.name,), said, Whose.PRODUCTIV, todo, Section.APP_FAILS)
    return Cause(Weight.STOPPED, (sink.name,), said, Whose.PRODUCTIV, todo, Section.UNAVAILABLE)


def _of_records(sink: SinkFacts, now: float) -> Iterator[Cause]:
    stream = sink.name.removesuffix(".parked")  # as commands know it
    if sink.tripped is not None:
        yield Cause(
            Weight.STOPPED,
            (sink.name,),
            f"The flood guard stopped the stream: {sink.tripped}.",
            Whose.PRODUCERS,
            f"`productiv-bridge dlq list {stream}` and the log say what is wrong. Have it mended, then run "
            f"`productiv-bridge resume {stream}`.",
            Section.FLOOD,
        )
    elif any(now - kind.newest < FRESH_SECONDS for kind in sink.dead_letters):
        yield Cause(
            Weight.NOTICE,
            (sink.name,),
            "Records went to the dead letters within ten minutes; the table below says of which kinds.",
            Whose.PRODUCERS,
            "`productiv-bridge dlq list` says more. Have the cause mended, then `dlq replay` them.",
            Section.DEAD_LETTERS,
        )
    if sink.in_doubt:
        yield Cause(
            Weight.NOTICE,
            (sink.name,),
            f"{sink.in_doubt:,} records were sent, and nobody knows whether Productiv took them.",
            Whose.OPERATOR,
            f"Look at them with `productiv-bridge in-doubt list {stream}`, then resend or discard.",
            Section.IN_DOUBT,
        )


def _of_progress(sink: SinkFacts) -> Iterator[Cause]:
    if sink.kafka_trouble or sink.tripped or sink.waiting.count:  # which says it already
        return
    lag, before = sink.lag or 0, _lag_before(sink)
    still = sink.flow.still_seconds
    if still >= STILL_SECONDS:
        yield Cause(
            Weight.STOPPED,
            (sink.name,),
            f"{sink.outstanding:,} records are here and none has gone through for {still:,.0f} seconds.",
            Whose.BRIDGE,
            "Keep the log from when it stopped, and restart the process: nothing is lost by that.",
            Section.STILL,
        )
    elif before is not None and lag > before * (1 + GROWN_SHARE) + GROWN_RECORDS:
        yield Cause(
            Weight.NOTICE,
            (sink.name,),
            f"The lag grew from {before:,.0f} to {lag:,} within ten minutes.",
            Whose.CAPACITY,
            "See by the answers below whether the API became slow; if it did not, start more replicas.",
            Section.LAG,
        )


def _lag_before(sink: SinkFacts) -> float | None:
    """The lag of ten minutes ago."""
    plots = sink.flow.plots
    if plots.seconds < FRESH_SECONDS:
        return None
    return plots.behind[-round(len(plots.behind) * FRESH_SECONDS / plots.seconds)]


def _of_source(source: SourceFacts) -> Iterator[Cause]:
    if source.failed is None:
        return
    passing = source.failed_label in _PASSING
    yield Cause(
        Weight.WAITING if passing else Weight.STOPPED,
        (source.name,),
        f"The last round failed: {source.failed}.",
        Whose.PRODUCTIV if passing else Whose.OPERATOR,
        "The next round comes by itself and goes on from the cursor."
        if passing
        else "Waiting will not mend this: do what it says; `productiv-bridge cursors list` shows the cursor.",
        Section.SOURCE,
    )


def _apps(apps: Apps) -> str:
    return "1 app is" if apps.count == 1 else f"{apps.count:,} apps are"


def _named(apps: Apps) -> str:
    """The apps, those with the same words together."""
    by_words: dict[str, list[str]] = {}
    for app, words in apps.named.items():
        by_words.setdefault(words, []).append(app)
    said = [", ".join(names) + (f" ({words})" if words else "") for words, names in by_words.items()]
    more = apps.count - len(apps.named)
    return "; ".join(said) + (f"; and {more:,} more" if more > 0 else "")
