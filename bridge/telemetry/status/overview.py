"""The page that leads to the status pages of several workers."""

from collections.abc import Mapping

from bridge.telemetry.status.elements import el, html
from bridge.telemetry.status.states import FLOWING, IDLE, STANDING_BY, STOPPED, WAITING

_STATES = {state.word: state for state in (STOPPED, WAITING, FLOWING, IDLE, STANDING_BY)}


def overview(statuses: Mapping[str, Mapping[str, object] | None]) -> str:
    """The page; `statuses` is what each worker says in its `status.json`, None of one that says nothing."""
    rows = []
    for name, status in statuses.items():
        state = _STATES[str(status["state"])] if status else STOPPED
        said = str(status["headline"]) if status else "It does not work yet, or does not answer"
        link = el("a", f"worker {name}", href=f"workers/{name}/")
        shape = el("b", state.shape, aria_hidden="true")
        rows.append(
            el("tr", el("th", link, scope="row"), el("td", el("span", shape, f" {said}.", class_=state.kind)))
        )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", http_equiv="refresh", content="5"),
        el("title", "productiv-bridge"),
        el("link", rel="stylesheet", href="status.css"),
    )
    body = el("body", el("header", el("h1", "productiv-bridge")), el("main", el("table", el("tbody", rows))))
    return "<!doctype html>" + html(el("html", head, body, lang="en"))
