import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.kafka_broker import jars
from tests.kafka_broker.broker import NotAvailable
from tests.kafka_broker.jars import Jar, WrongChecksum, fetch

CONTENT = b"what the jar holds" * 1000
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest())


class Repository:
    """A Maven repository with one jar, that can be told to answer badly."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.content = CONTENT

        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/maven/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        fault = self.faults.pop(0) if self.faults else ""
        request.send_response(int(fault) if fault.isdigit() else 200)
        request.send_header("Content-Length", str(len(self.content)))
        request.end_headers()
        request.wfile.write(self.content[:100] if fault == "cut short" else self.content)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    monkeypatch.setattr(jars, "FIRST_WAIT_SECONDS", 0.001)
    repository = Repository()
    yield repository
    repository.close()


def test_downloads_once(repository: Repository, tmp_path: Path) -> None:
    for _ in range(2):
        assert fetch(tmp_path, url=repository.url, jars=[JAR]) == [tmp_path / "thing-1.0.jar"]
    assert (tmp_path / "thing-1.0.jar").read_bytes() == CONTENT
    assert repository.asked == ["/maven/org/example/thing/1.0/thing-1.0.jar"]


def test_refuses_what_is_not_in_the_lock(repository: Repository, tmp_path: Path) -> None:
    repository.content = b"something else"
    with pytest.raises(WrongChecksum, match=JAR.sha256):
        fetch(tmp_path, url=repository.url, jars=[JAR])
    assert list(tmp_path.iterdir()) == []


def test_a_broken_download_leaves_nothing_behind(repository: Repository, tmp_path: Path) -> None:
    repository.faults = ["cut short"] * 4
    with pytest.raises(NotAvailable, match=r"cannot download thing-1\.0\.jar"):
        fetch(tmp_path, url=repository.url, jars=[JAR])
    assert list(tmp_path.iterdir()) == []
    fetch(tmp_path, url=repository.url, jars=[JAR])


@pytest.mark.parametrize("fault", ["cut short", "500", "429"])
def test_tries_again(repository: Repository, tmp_path: Path, fault: str) -> None:
    repository.faults = [fault, fault]
    fetch(tmp_path, url=repository.url, jars=[JAR])
    assert len(repository.asked) == 3


def test_does_not_try_again_what_is_not_there(repository: Repository, tmp_path: Path) -> None:
    repository.faults = ["404"] * 4
    with pytest.raises(NotAvailable, match="HTTP 404"):
        fetch(tmp_path, url=repository.url, jars=[JAR])
    assert len(repository.asked) == 1


def test_a_damaged_jar_is_replaced(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "thing-1.0.jar").write_bytes(CONTENT[:-1])
    fetch(tmp_path, url=repository.url, jars=[JAR])
    assert (tmp_path / "thing-1.0.jar").read_bytes() == CONTENT


def test_never_shows_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "FIRST_WAIT_SECONDS", 0.001)
    with pytest.raises(NotAvailable) as caught:
        fetch(tmp_path, url="http://user:secret@127.0.0.1:1/", jars=[JAR])
    assert "secret" not in str(caught.value)


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_JARS_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert jars.cache_folder() == tmp_path / "home" / ".cache" / "productiv-bridge" / "kafka-jars"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert jars.cache_folder() == tmp_path / "xdg" / "productiv-bridge" / "kafka-jars"
    monkeypatch.setenv("KAFKA_JARS_CACHE", str(tmp_path / "given"))
    assert jars.cache_folder() == tmp_path / "given"


def test_cache_folder_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_file").touch()
    monkeypatch.delenv("KAFKA_JARS_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "a_file" / "home"))
    monkeypatch.setattr(jars, "_CHECKOUT", tmp_path)
    assert jars.cache_folder() == tmp_path / ".cache" / "kafka-jars"


def test_the_lock_names_each_jar_once() -> None:
    lock = jars.read_lock()
    assert all(len(jar.sha256) == 64 for jar in lock)
    assert len({jar.file_name for jar in lock}) == len(lock)
    assert {jar.version for jar in lock if jar.group == "org.apache.kafka"} == {jars.kafka_version()}
