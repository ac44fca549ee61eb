"""A storm in which everything goes wrong and the API quotes all that it is sent: nothing private gets out."""

import itertools
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.flows.conftest import staged
from tests.flows.process import BridgeProcess, eventually
from tests.flows.setting import usage
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.mock import MockBroker

SECRET, TOKEN = "plainlookingsecret", "plainlookingtoken"
# Each stands for a person: as it is, in a form, in another case, with what an address may also hold.
PEOPLE = ["ann@example.com", "Bob.O'Hara+x@Example.com", "eve_1@sub.example.com", "müller@example.com"]
PRIVATE = re.compile(rf"{SECRET}|{TOKEN}|(@|%40)[\w.]*example\.com", re.IGNORECASE)
STATUSES = (400, 401, 500, 403, 422, 429, 502, 404, 503, 413, 200)


class QuotingApi:
    """Answers in turn with every status, and quotes the token and the whole request each time."""

    def __init__(self) -> None:
        statuses, lock = itertools.cycle(STATUSES), threading.Lock()
        self.answered = 0
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if self.path == "/oauth2/token":
                    self._reply(200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})
                    return
                with lock:
                    status, api.answered = next(statuses), api.answered + 1
                said = f"{self.headers['Authorization']} sent {body} for {quote(body)} and {TOKEN}"
                errors = [{"index": 0, "message": said}]
                self._reply(status, {"success": False, "message": said, "errors": errors})

            def _reply(self, status: int, document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api() -> Iterator[QuotingApi]:
    made = QuotingApi()
    yield made
    made.close()


def records() -> list[dict[str, Any] | bytes]:
    """Good and bad ones, all of them about people."""
    made: list[dict[str, Any] | bytes] = []
    for number, person in zip(range(200), itertools.cycle(PEOPLE), strict=False):
        app = person if number % 10 == 0 else f"app{number % 3}"
        made.append(usage(number, app, email=person, eventName=f"wrote to {person}"))
        if number % 10 == 5:
            made += [
                f"{person} is no JSON".encode(),
                json.dumps({"app": "crm", "email": person}).encode(),
                usage(number, "crm", email=f"<{person}>", timestamp=person),
            ]
    return made


def page(url: str) -> str:
    """A page of the operations port, whatever its status."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.read().decode())


def pages(bridge: BridgeProcess) -> str:
    return "\n".join(page(bridge.url + path) for path in ("/metrics", "/readyz", "/healthz"))


def test_nothing_private_gets_out(mock_kafka: Cluster[MockBroker], tmp_path: Path, api: QuotingApi) -> None:
    with staged(mock_kafka, tmp_path) as stage:
        stage.secret_file.write_text(SECRET)
        bridge = stage.bridge(
            {"settings": {"debug": "all"}},
            {"api_url": api.url, "token_url": f"{api.url}/oauth2/token"},
            batch={"max_records": 20},
            flood_guard={"consecutive": 400},
        )
        bridge.change(log={"level": "debug"})
        bridge.start()
        people = itertools.cycle(PEOPLE)
        stage.produce_keyed((next(people), record) for record in records())
        eventually(lambda: api.answered > 5 * len(STATUSES), "every status was met several times")
        eventually(lambda: bridge.books()["dead_lettered"] > 80, "records were buried")
        shown = pages(bridge)
        bridge.stop()
        headers: list[Any] = [each for dead in stage.buried() for each in dead.headers() or []]
        told = str([(name, value) for name, value in headers if name.startswith("bridge.")])
    log = bridge.log.read_text()
    assert "bridge.response" in told
    assert '"level": "debug"' in log
    assert "batch_not_accepted" in log
    for text in (log, shown, told):
        assert [text[max(0, m.start() - 200) : m.end() + 50] for m in PRIVATE.finditer(text)][:3] == []
