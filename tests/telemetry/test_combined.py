"""The operations port of several workers, asked over HTTP, as the workers' own ports are."""

import http.client
import json
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from bridge.telemetry.combined import combined_app
from bridge.telemetry.health import STUCK_SECONDS, Pulse, health_app, served
from bridge.telemetry.status.routes import HEADERS, status_routes
from bridge.telemetry.status.watch import Status
from tests.telemetry.asking import ask, asked
from tests.telemetry.in_use import used
from tests.telemetry.status.facts import NOW, sink, status

Parse = Callable[[str], Iterable[Metric]]


@dataclass
class Worker:
    """What a worker's operations port says, set by hand."""

    now: float = 1000.0
    reasons: list[str] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=lambda: used()[0].registry)
    status: Status = field(default_factory=lambda: status(sink()))
    url: str = ""

    def __post_init__(self) -> None:
        self.pulse = Pulse(lambda: self.now)


@dataclass
class Supervised:
    """Two workers, the addresses that are known of them, and the port of both."""

    workers: list[Worker]
    addresses: dict[str, str | None]
    url: str = ""


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervised]:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # which is for the API, and not for the workers
    with ExitStack() as ports:
        workers = [Worker(), Worker()]
        for each in workers:
            routes = status_routes(lambda each=each: each.status, lambda: NOW)  # type: ignore[misc]
            app = health_app(each.registry, each.pulse, lambda each=each: each.reasons, routes)  # type: ignore[misc]
            each.url = ports.enter_context(served(app, "127.0.0.1", 0))
        made = Supervised(workers, {str(number): each.url for number, each in enumerate(workers)})
        made.url = ports.enter_context(served(combined_app(lambda: made.addresses), "127.0.0.1", 0))
        yield made


def nobody() -> str:
    """An address at which nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


# -- healthz -----------------------------------------------------------------------------------------------


def test_alive_while_all_are(supervised: Supervised) -> None:
    assert asked(f"{supervised.url}/healthz") == (200, {"alive": True, "workers": {"0": True, "1": True}})


def test_not_alive_once_one_is_stuck(supervised: Supervised) -> None:
    supervised.workers[1].now += STUCK_SECONDS
    assert asked(f"{supervised.url}/healthz") == (503, {"alive": False, "workers": {"0": True, "1": False}})


def test_not_alive_once_one_does_not_answer(supervised: Supervised) -> None:
    supervised.addresses["0"] = nobody()
    assert asked(f"{supervised.url}/healthz") == (503, {"alive": False, "workers": {"0": False, "1": True}})


def test_who_has_ended_is_started_again_and_that_is_cure_enough(supervised: Supervised) -> None:
    supervised.addresses["0"] = None
    assert asked(f"{supervised.url}/healthz") == (200, {"alive": True, "workers": {"1": True}})


def test_not_alive_before_anybody_works(supervised: Supervised) -> None:
    supervised.addresses = {"0": None, "1": None}
    assert asked(f"{supervised.url}/healthz") == (503, {"alive": False, "workers": {}})


# -- readyz ------------------------------------------------------------------------------------------------


def test_ready_when_all_are(supervised: Supervised) -> None:
    assert asked(f"{supervised.url}/readyz") == (200, {"ready": True, "reasons": []})


def test_not_ready_and_why_and_who(supervised: Supervised) -> None:
    supervised.addresses["0"] = None
    supervised.workers[1].reasons = ["no access token", "Kafka: x"]
    reasons = ["worker 0: does not work yet", "worker 1: no access token", "worker 1: Kafka: x"]
    assert asked(f"{supervised.url}/readyz") == (503, {"ready": False, "reasons": reasons})


# -- metrics -----------------------------------------------------------------------------------------------

TEXT = "*/*"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PARSERS: dict[str, Parse] = {
    TEXT: text_string_to_metric_families,
    OPENMETRICS: openmetrics.text_string_to_metric_families,
}


def read(url: str, accept: str) -> list[Metric]:
    """The families of a page of metrics."""
    code, page, _ = ask(f"{url}/metrics", accept)
    assert code == 200
    return list(PARSERS[accept](page.decode()))


@pytest.mark.parametrize("accept", PARSERS)
def test_each_sample_of_each_is_there_with_its_worker(supervised: Supervised, accept: str) -> None:
    """What only one has too, and labels that need care; and no family is there twice."""
    things = Counter("things", "Things.", ["kind"], registry=supervised.workers[1].registry)
    things.labels('a "b"\n').inc(3)
    together = read(supervised.url, accept)
    names = {family.name for family in together}
    assert len(names) == len(together)
    for number, worker in enumerate(supervised.workers):
        alone = read(worker.url, accept)
        assert {family.name for family in alone} <= names
        assert [told(family) for family in alone] == [
            told(family, samples)
            for family in together
            if (samples := [s for s in family.samples if s.labels["worker"] == str(number)])
        ]


def told(family: Metric, samples: Sequence[Sample] | None = None) -> tuple[object, ...]:
    """What a family says, or what it says by these samples; `worker` left out."""
    left = [
        sample._replace(labels={name: value for name, value in sample.labels.items() if name != "worker"})
        for sample in (family.samples if samples is None else samples)
    ]
    return family.name, family.type, family.documentation, left


def test_metrics_come_in_the_format_that_is_asked_for(supervised: Supervised) -> None:
    _, _, headers = ask(f"{supervised.url}/metrics", TEXT)
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    _, body, headers = ask(f"{supervised.url}/metrics", OPENMETRICS)
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_who_does_not_answer_is_left_out_of_the_metrics(supervised: Supervised) -> None:
    supervised.addresses |= {"0": nobody(), "2": None}
    found = {sample.labels["worker"] for one in read(supervised.url, TEXT) for sample in one.samples}
    assert found == {"1"}


# -- the pages for people ----------------------------------------------------------------------------------


def test_the_overview_leads_to_each_and_says_how_it_is(supervised: Supervised) -> None:
    supervised.workers[1].status = status(sink(tripped="so"))
    supervised.addresses["2"] = None
    code, body, headers = ask(f"{supervised.url}/")
    page = body.decode()
    assert code == 200
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert [page.count(f'href="workers/{name}/"') for name in "012"] == [1, 1, 1]
    said = ["All is well: data flows.", "1 of 1 streams stand still.", "It does not work yet"]
    assert sorted(said, key=page.index) == said
    assert ask(f"{supervised.url}/status.css")[1] == ask(f"{supervised.workers[0].url}/status.css")[1]


def test_the_same_as_json(supervised: Supervised) -> None:
    supervised.addresses["2"] = None
    said: Any = asked(f"{supervised.url}/status.json")[1]
    own = [asked(f"{worker.url}/status.json")[1] for worker in supervised.workers]
    assert said == {"workers": {"0": own[0], "1": own[1], "2": None}}


def test_the_status_page_of_one_is_passed_on(supervised: Supervised) -> None:
    for page in ("", "status.json", "status.css", "status.js"):
        code, body, headers = ask(f"{supervised.url}/workers/1/{page}")
        assert (code, body) == ask(f"{supervised.workers[1].url}/{page}")[:2]
        assert {name: headers[name] for name in HEADERS} == HEADERS


def test_its_events_come_as_they_happen(supervised: Supervised) -> None:
    connection = http.client.HTTPConnection(urlsplit(supervised.url).netloc, timeout=10)
    connection.request("GET", "/workers/0/events")
    answer = connection.getresponse()
    assert "All is well" in event(answer)["headline"]
    supervised.workers[0].status = status(sink(tripped="so"))
    assert "stand still" in event(answer)["headline"]
    connection.close()


def event(answer: http.client.HTTPResponse) -> dict[str, str]:
    """The next event."""
    while not (line := answer.readline()).startswith(b"data: "):
        assert line
    parts: dict[str, str] = json.loads(line.removeprefix(b"data: "))
    return parts


def test_nothing_else_is_passed_on(supervised: Supervised) -> None:
    for path in ("2/", "0/healthz", "0/metrics", "0/../metrics", "0/%2e%2e/metrics", "0/x", ""):
        assert ask(f"{supervised.url}/workers/{path}")[0] == 404, path


@pytest.mark.parametrize("absent", [lambda: None, nobody], ids=["no address yet", "nobody there"])
def test_who_does_not_answer_has_no_page(supervised: Supervised, absent: Callable[[], str | None]) -> None:
    supervised.addresses["0"] = absent()
    code, body, headers = ask(f"{supervised.url}/workers/0/")
    assert (code, body, headers["Retry-After"]) == (503, b"This worker does not answer.", "5")


def test_it_only_answers_questions(supervised: Supervised) -> None:
    for page in ("", "healthz", "readyz", "metrics", "status.json", "workers/0/"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert ask(f"{supervised.url}/{page}", method=method)[0] == 405, (method, page)
