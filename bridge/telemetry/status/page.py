"""The page, in parts that are replaced one by one as they change."""

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from bridge.telemetry.status import words
from bridge.telemetry.status.cause import Cause
from bridge.telemetry.status.elements import el, html
from bridge.telemetry.status.facts import Flow, SinkFacts, SourceFacts
from bridge.telemetry.status.plot import plot
from bridge.telemetry.status.states import OF_WEIGHT, State, headline, state_of
from bridge.telemetry.status.watch import Status

MAX_LETTERS = 20

SINKS = (
    "stream",
    "state",
    "flow",
    "lag",
    "delivered",
    "dead letters",
    "outstanding",
    "requests",
    "other books",
)
SOURCES = ("stream", "state", "flow", "behind", "cursor", "written by this process")
LETTERS = ("stream", "reason", "field or status", "records", "newest")
ANSWERS = ("call", "last outcome", "took", "when")


def page(status: Status, age: float) -> str:
    """The whole page; `age` is how many seconds old the status is."""
    made = {part.get("id", ""): part for part in _parts(status, age)}
    sinks = [made[_id(sink)] for sink in status.facts.sinks]
    sources = [made[_id(source)] for source in status.facts.sources]
    main = el(
        "main",
        el("div", made["headline"], role="status"),
        made["causes"],
        _section("From Kafka to Productiv", _table(SINKS, el("tbody", sinks))) if sinks else None,
        _section("From Productiv to Kafka", _table(SOURCES, el("tbody", sources))) if sources else None,
        _section("Newest kinds of dead letters", _table(LETTERS, made["letters"])),
        _section("What the API last answered", _table(ANSWERS, made["answers"])),
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", "productiv-bridge"),
        el("link", rel="stylesheet", href="status.css"),
        el("noscript", el("meta", http_equiv="refresh", content="5")),
        el("script", src="status.js", defer=""),
    )
    live = el("p", id="live", role="alert")
    body = el("body", el("header", el("h1", "productiv-bridge"), made["clock"]), live, main, made["process"])
    return "<!doctype html>" + html(el("html", head, body, lang="en"))


def parts(status: Status, age: float) -> dict[str, str]:
    """The HTML of each part, by its id."""
    return {part.get("id", ""): html(part) for part in _parts(status, age)}


def _parts(status: Status, age: float) -> Iterator[Element]:
    facts = status.facts
    state, said = headline(status, age)
    yield el("p", el("b", state.shape, aria_hidden="true"), f" {said}.", id="headline", class_=state.kind)
    yield el("p", words.clock(facts.wall), id="clock")
    yield _section("What is wrong", el("ol", map(_cause, status.causes)) if status.causes else None, "causes")
    for sink in facts.sinks:
        yield _sink(sink, state_of(sink, status))
    for source in facts.sources:
        yield _source(source, state_of(source, status))
    yield _letters(facts.sinks, facts.now)
    answers = sorted(facts.answers, key=lambda each: each.operation)
    yield el("tbody", (
        _row(ANSWERS, each.operation, f"{each.outcome} {each.status or ''}", f"{each.seconds:.2f} s",
             f"{words.duration(facts.now - each.at)} ago")
        for each in answers
    ), id="answers")  # fmt: skip
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    yield el("footer", f"Up for {words.duration(facts.uptime)}. {versions}.", id="process")


def _cause(cause: Cause) -> Element:
    state = OF_WEIGHT[cause.weight]
    facts = {
        "Do": cause.todo,
        "Whose": cause.whose,
        "Since": words.moment(cause.since),
        "Read": f"docs/runbook.md#{cause.section}",
    }
    listed = (el("div", el("dt", name), el("dd", *_with_code(value))) for name, value in facts.items())
    title = el("h3", _shape(state), f" {', '.join(cause.streams)}: {state.word}")
    return el("li", title, el("p", cause.what), el("dl", listed), class_=state.kind)


def _with_code(text: str) -> list[Element | str]:
    """Text in which code stands between backticks."""
    return [el("code", each) if index % 2 else each for index, each in enumerate(text.split("`"))]


def _sink(sink: SinkFacts, state: State) -> Element:
    books = sink.books
    rest = {
        "received": books.received,
        "superseded": books.superseded,
        "parked": books.parked,
        "in doubt": books.in_doubt,
        "settled before": books.settled_before,
        "handed over": books.handed_over,
    }
    flow, lag = _plotted(sink.flow, "lag", words.count(sink.lag))
    return _row(
        SINKS,
        sink.name,
        _state(state),
        flow,
        lag,
        words.count(books.delivered),
        words.count(books.dead_lettered),
        words.count(sink.outstanding),
        f"{sink.in_flight} of {sink.concurrency_limit}",
        ", ".join(f"{name} {words.count(n)}" for name, n in rest.items() if n),
        id_=_id(sink),
    )


def _source(source: SourceFacts, state: State) -> Element:
    flow, behind = _plotted(source.flow, "seconds behind", words.duration(source.behind))
    cursor = [words.moment(source.position)] if source.position is not None else []
    cursor += [f"{source.entries:,} entries"] if source.entries is not None else []
    return _row(
        SOURCES,
        source.name,
        _state(state),
        flow,
        behind,
        ", ".join(cursor),
        ", ".join(f"{output} {words.count(n)}" for output, n in source.emitted.items()),
        id_=_id(source),
    )


def _plotted(flow: Flow, behind: str, now: str) -> tuple[Element, Element]:
    """The cells of what goes through, and of how far behind it is."""
    plots = flow.plots
    span = f"over the last {words.duration(plots.seconds)}"
    rate, peak = words.per_second(flow.rate), words.per_second(max(plots.flow, default=0.0))
    worst = words.count(max((known for known in plots.behind if known is not None), default=None))
    return (
        el("span", f"{rate} ", plot(plots.flow, f"flow {span}: now {rate}, at most {peak}")),
        el("span", f"{now} ", plot(plots.behind, f"{behind} {span}: now {now}, at most {worst}")),
    )


def _letters(sinks: Sequence[SinkFacts], now: float) -> Element:
    found = sorted(
        ((sink.name, kind) for sink in sinks for kind in sink.dead_letters),
        key=lambda each: each[1].newest,
        reverse=True,
    )
    return el("tbody", (
        _row(LETTERS, stream, kind.reason, kind.what, words.count(kind.records),
             f"{words.duration(now - kind.newest)} ago")
        for stream, kind in found[:MAX_LETTERS]
    ), id="letters")  # fmt: skip


def _section(title: str, content: Element | None, name: str | None = None) -> Element:
    """A section; without content only its place."""
    children = (el("h2", title), content) if content is not None else ()
    return el("section", *children, **({"id": name} if name else {}))


def _table(columns: Sequence[str], body: Element) -> Element:
    head = el("thead", el("tr", (el("th", column, scope="col") for column in columns)))
    return el("table", head, body)


def _row(columns: Sequence[str], name: str, *cells: Element | str, id_: str | None = None) -> Element:
    """A row under its head, whose name each cell bears for narrow screens, where there is no head."""
    rest = (el("td", cell, data_column=column) for column, cell in zip(columns[1:], cells, strict=True))
    return el("tr", el("th", name, scope="row"), rest, **({"id": id_} if id_ else {}))


def _state(state: State) -> Element:
    return el("span", _shape(state), f" {state.word}", class_=state.kind)


def _shape(state: State) -> Element:
    return el("b", state.shape, aria_hidden="true")


def _id(stream: SinkFacts | SourceFacts) -> str:
    return f"stream-{stream.name}"
