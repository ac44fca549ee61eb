"""What the page says, and that nothing of what it shows becomes part of it."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from bridge.core.books import Books
from bridge.telemetry.refused_kinds import RefusedKind
from bridge.telemetry.status.facts import Answer, Apps, Flow
from bridge.telemetry.status.page import MAX_LETTERS, page, parts
from bridge.telemetry.status.plot import plot
from bridge.telemetry.status.states import STUCK_SECONDS, headline
from bridge.telemetry.status.watch import Status
from tests.telemetry.status.facts import NOW, sink, source, status

DOWN = Apps.of({"crm": "it is down"})


class Elements(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def text(html: str) -> str:
    return Elements(html).text


@pytest.mark.parametrize(
    ("given", "age", "word", "says"),
    [
        (status(sink(), source()), 0.0, "flowing", "All is well: data flows"),
        (status(sink(flow=Flow())), 0.0, "idle", "All is well: there is nothing to do"),
        (status(sink(in_doubt=1)), 0.0, "flowing", "Data flows, and there is something to look at"),
        (status(sink(waiting=DOWN)), 0.0, "waiting", "Data flows, but some of it waits"),
        (status(sink(tripped="so"), sink("users")), 0.0, "stopped", "1 of 2 streams stand still"),
        (status(sink()), STUCK_SECONDS, "stopped", "The bridge is stuck"),
    ],
)
def test_the_headline(given: Status, age: float, word: str, says: str) -> None:
    state, said = headline(given, age)
    assert (state.word, said.startswith(says)) == (word, True)
    assert said in text(parts(given, age)["headline"])


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        (sink(), "▶ flowing"),
        (sink(flow=Flow()), "● idle"),
        (sink(flow=Flow(), partitions=0), "○ standing by"),
        (source(owned=False), "○ standing by"),
        (sink(waiting=DOWN), "▲ waiting"),
        (sink(tripped="so"), "■ stopped"),
    ],
)
def test_each_state_has_a_word_and_a_shape(stream: object, says: str) -> None:
    assert says in text(parts(status(stream), 0.0)[f"stream-{stream.name}"])  # type: ignore[arg-type, attr-defined]


def test_a_row_shows_the_books_of_its_sink() -> None:
    books = Books(*range(1001, 1010))
    row = text(parts(status(sink(books=books, outstanding=77, lag=55)), 0.0)["stream-usage"])
    for shown in ("1,001", "1,002", "1,003", "1,004", "1,005", "1,006", "1,007", "1,008", "77", "55"):
        assert shown in row


def test_a_row_shows_how_far_its_source_is() -> None:
    row = text(parts(status(source(entries=12, behind=7500.0)), 0.0)["stream-audit_events"])
    for shown in ("2 h 5 min", "2001-09-09 01:46:40 UTC", "12 entries", "audit_events 7"):
        assert shown in row


def test_plots_say_in_words_what_they_show() -> None:
    row = parts(status(sink()), 0.0)["stream-usage"]
    assert "flow over the last 20 s: now 540/s, at most 580/s" in row
    assert "lag over the last 20 s: now 3, at most 12" in row


def test_a_cause_says_whose_it_is_and_what_to_do_and_where_to_read() -> None:
    causes = text(parts(status(sink(tripped="5 records in a row were refused")), 0.0)["causes"])
    for shown in (
        "usage: stopped",
        "5 records in a row were refused",
        "who produces the records",
        "productiv-bridge resume usage",
        "docs/runbook.md#flood-guard-tripped",
    ):
        assert shown in causes


def test_dead_letters_the_newest_first_and_not_all() -> None:
    kinds = [RefusedKind("invalid", f"field{n}", n, NOW - n) for n in range(MAX_LETTERS + 9)]
    shown = re.findall(r"field\d+", parts(status(sink(dead_letters=kinds)), 0.0)["letters"])
    assert shown == [f"field{n}" for n in range(MAX_LETTERS)]


def test_what_the_api_answered_last() -> None:
    answers = text(
        parts(status(answers=[Answer("publish_users", "unavailable", 503, 0.25, NOW - 61)]), 0.0)["answers"]
    )
    for shown in ("publish_users", "unavailable 503", "0.25 s", "1 min ago"):
        assert shown in answers


def test_versions_and_uptime() -> None:
    assert text(parts(status(), 0.0)["process"]) == "Up for 1 h 6 min. productiv-bridge 0.1.0."


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"


def evil(told: str = EVIL) -> Status:
    return status(
        sink(told, waiting=Apps({told: told}, 1), dead_letters=[RefusedKind(told, told, 1, NOW)]),
        source(f"{told}2", failed=told, failed_label="refused", kafka_trouble=told, emitted={told: 1}),
        answers=[Answer(told, told, None, 0.0, NOW)],
    )


def test_nothing_that_is_shown_becomes_part_of_the_page() -> None:
    harmless, other = Elements(page(evil("text"), 0.0)), Elements(page(evil(), 0.0))
    assert other.tags == harmless.tags
    assert [name for name, _ in other.attributes] == [name for name, _ in harmless.attributes]
    assert "<script>alert(1)</script>" in other.text


def test_nothing_comes_from_elsewhere_and_no_style_or_script_is_in_the_page() -> None:
    elements = Elements(page(evil("text"), 0.0))
    addresses = [value for name, value in elements.attributes if name in ("src", "href")]
    assert addresses == ["status.css", "status.js"]
    assert "style" not in elements.tags
    assert not [name for name, _ in elements.attributes if name == "style" or name.startswith("on")]


def test_each_part_is_in_the_page_once_by_its_name() -> None:
    """As the browser finds it there to replace it."""
    given = status(sink(), source(), sink("users.parked", tripped="so"))
    html, made = page(given, 0.0), parts(given, 0.0)
    ids = [value or "" for name, value in Elements(html).attributes if name == "id"]
    assert sorted(ids) == sorted([*made, "live"])
    for part in made.values():
        assert part in html


def test_columns_have_names_for_narrow_screens_too() -> None:
    html = page(evil("text"), 0.0)
    heads = re.findall(r'<th scope="col">([^<]+)', html)
    assert {"lag", "behind", "field or status", "last outcome"} < set(heads)
    assert set(re.findall(r'data-column="([^"]+)"', html)) == set(heads) - {"stream", "call"}


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ([], ""),
        ([0.0, 0.0], "M0.0 24L0.0 24.0L120.0 24.0L120.0 24Z"),
        ([1.0, None, 2.0], "M0.0 24L0.0 12.5L0.0 24ZM120.0 24L120.0 1.0L120.0 24Z"),
    ],
)
def test_a_plot(values: list[float | None], path: str) -> None:
    drawn = plot(values, "so it is")
    assert drawn[0].get("d") == path
    assert drawn.get("aria-label") == "so it is"


def contrast(one: str, other: str) -> float:
    """By WCAG 2.2, 1.4.3."""

    def light(colour: str) -> float:
        digits = colour.lstrip("#")
        wide = digits if len(digits) == 6 else "".join(d * 2 for d in digits)
        parts = [int(wide[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    brighter, darker = sorted((light(one), light(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def palettes() -> list[Mapping[str, str]]:
    css = files("bridge.telemetry.status").joinpath("status.css").read_text()
    return [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in re.findall(r":root \{[^}]*\}", css)]


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
def test_words_can_be_read_in_light_and_dark(palette: Mapping[str, str]) -> None:
    for ink in ("ink", "faint", "good", "fair", "bad"):
        assert contrast(palette["paper"], palette[ink]) >= 4.5, ink
