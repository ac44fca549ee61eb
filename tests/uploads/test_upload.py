"""Files to a sandbox over real HTTP: what arrives, what is sent again, and what never shows."""

import asyncio
import hashlib
import json
import logging
import os
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.core.backoff import Backoff
from bridge.core.outcome import Denied
from bridge.productiv.auth import Credentials
from bridge.productiv.client import Client
from bridge.productiv.questions import ApiError, Questions
from bridge.productiv.storage import NotStored, Storage, Stored
from bridge.sandbox import SandboxServer
from bridge.uploads.files import CHUNK_BYTES
from bridge.uploads.manifest import Manifest
from bridge.uploads.upload import Pace, Result, Target, Uploader
from bridge.uploads.upload import Storage as StoragePort
from tests.productiv.clients import SETTINGS
from tests.sandbox.driver import Hands

pytestmark = pytest.mark.anyio
NOON = "2026-01-01T12:00:00+00:00"


class Desk:
    """A sandbox, a folder of files, and uploads between them."""

    def __init__(self, folder: Path, hands: Hands, sandbox: SandboxServer) -> None:
        self.folder = folder
        self.hands = hands
        self.sandbox = sandbox
        self.manifest = folder / "manifest.json"
        self.waits: list[float] = []
        self.moves: list[tuple[str, int]] = []
        self.on_move: Callable[[str, int], None] = lambda filename, done: None
        self.storage: StoragePort | None = None
        self.secret = sandbox.config.credentials[0].client_secret

    def file(self, name: str, content: bytes = b"a,b\n") -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    async def send(self, *names: str, app: str = "app-a", at_once: int = 2) -> list[Result]:
        url = self.sandbox.url
        settings = replace(SETTINGS, api_url=url, token_url=f"{url}/oauth2/token")

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        def moved(filename: str, done: int) -> None:
            self.moves.append((filename, done))
            self.on_move(filename, done)

        pace = Pace(
            at_once=at_once,
            draw=lambda: 1.0,
            now=lambda: datetime(2026, 1, 1, 12, tzinfo=UTC),
            backoff=Backoff(1, 60),
            sleep=sleep,
        )
        async with (
            Client(settings, lambda: Credentials("sandbox", self.secret)) as client,
            Storage(settings) as storage,
        ):
            uploader = Uploader(
                Target(api=url, app=app),
                Questions(client),
                self.storage or storage,
                Manifest(self.manifest),
                pace,
                moved,
            )
            return await uploader.send({name: self.folder / name for name in names})

    def fault(self, **fault: Any) -> None:
        self._ask("/_sandbox/faults", json.dumps(fault).encode())

    def stored(self, app: str = "app-a") -> dict[str, dict[str, Any]]:
        items = self._ask(f"/_sandbox/uploads?app={app}")["items"]
        return {item["filename"]: item for item in items}

    def addresses(self) -> int:
        given: int = self.state()["apps"]["app-a"]["uploads"]["addresses"]
        return given

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._ask("/_sandbox/state")
        return state

    def tokens_on_signed_addresses(self) -> int:
        count: int = self.state()["company"]["uploads"]["tokens_on_signed_addresses"]
        return count

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(self.sandbox.url + path, body, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    hands = Hands()
    with SandboxServer(clock=hands.clock) as sandbox:
        yield Desk(tmp_path, hands, sandbox)


async def test_files_arrive_and_stand_in_the_manifest(desk: Desk) -> None:
    large = os.urandom(3 * CHUNK_BYTES + 7)
    desk.file("large ü &?.csv", large)
    desk.file("empty.csv", b"")
    assert await desk.send("large ü &?.csv", "empty.csv") == [
        Result("large ü &?.csv", "uploaded", len(large)),
        Result("empty.csv", "uploaded", 0),
    ]
    stored = desk.stored()
    sha256 = hashlib.sha256(large).hexdigest()
    assert (stored["large ü &?.csv"]["size"], stored["large ü &?.csv"]["sha256"]) == (len(large), sha256)
    assert stored["empty.csv"]["size"] == 0
    first = json.loads(desk.manifest.read_text())["uploads"]
    assert {each["filename"]: (each["size"], each["sha256"]) for each in first} == {
        name: (item["size"], item["sha256"]) for name, item in stored.items()
    }
    assert {(each["api"], each["app"], each["uploaded_at"]) for each in first} == {
        (desk.sandbox.url, "app-a", NOON)
    }
    assert desk.tokens_on_signed_addresses() == 0
    done = [done for name, done in desk.moves if name.startswith("large")]
    assert done == [0, CHUNK_BYTES, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES, len(large)]


async def test_a_second_run_sends_only_what_is_missing_or_changed(desk: Desk) -> None:
    for name in ("same", "longer", "altered"):
        desk.file(name, b"before")
    await desk.send("same", "longer", "altered")
    desk.file("longer", b"before and after")
    desk.file("altered", b"behind")
    desk.file("new")
    again = await desk.send("same", "longer", "altered", "new")
    assert [result.how for result in again] == ["unchanged", "uploaded", "uploaded", "uploaded"]
    assert {name: item["times"] for name, item in desk.stored().items()} == {
        "same": 1,
        "longer": 2,
        "altered": 2,
        "new": 1,
    }
    assert [result.how for result in await desk.send("same", app="app-b")] == ["uploaded"]
    assert ("same", 6) in desk.moves, "what need not be sent counts as done"


async def test_an_address_that_expired_is_replaced_by_a_fresh_one_at_once(desk: Desk) -> None:
    desk.file("f", bytes(2 * CHUNK_BYTES))

    def slow_line(filename: str, done: int) -> None:
        if done == CHUNK_BYTES and len(desk.moves) == 2:
            desk.hands.now += 1_000  # an address is good for 900 s

    desk.on_move = slow_line
    assert [result.how for result in await desk.send("f")] == ["uploaded"]
    assert desk.addresses() == 2
    assert desk.waits == []
    assert desk.moves.count(("f", 0)) == 2, "the progress starts anew"


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_refusals_that_may_be_of_the_address_get_a_fresh_one(desk: Desk, status: int) -> None:
    desk.file("f")
    desk.fault(kind="status", status=status, operation="put_upload", times=2)
    assert [result.how for result in await desk.send("f")] == ["uploaded"]
    assert desk.addresses() == 3
    assert desk.waits == [2]


async def test_a_storage_that_refuses_every_address_is_given_up(desk: Desk) -> None:
    desk.file("f")
    desk.fault(kind="status", status=403, operation="put_upload")
    (result,) = await desk.send("f")
    assert result == Result("f", "failed", reason="127.0.0.1 answered 403; given up after 6 tries")
    assert desk.addresses() == 6
    assert not desk.manifest.exists()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset"},
        {"kind": "reset", "when": "during"},
        {"kind": "close", "when": "during"},
        {"kind": "cut"},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 500, "when": "after"},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
async def test_trouble_on_the_way_is_met_with_the_same_address_later(desk: Desk, fault: Any) -> None:
    content = os.urandom(8 * CHUNK_BYTES)
    desk.file("f", content)
    desk.fault(**fault, operation="put_upload", times=2)
    assert [result.how for result in await desk.send("f")] == ["uploaded"]
    assert desk.stored()["f"]["sha256"] == hashlib.sha256(content).hexdigest()
    if fault["kind"] != "cut":  # whose status says that the file is stored; nothing in the body matters
        assert desk.waits == [1, 2]
    assert desk.addresses() == 1


async def test_what_will_never_pass_is_not_repeated_and_hurts_no_other(desk: Desk) -> None:
    desk.file("good")
    desk.file("bad")
    desk.fault(kind="status", status=413, operation="put_upload", times=1)
    results = await desk.send("bad", "good", at_once=1)
    assert results == [
        Result("bad", "failed", reason="127.0.0.1 answered 413"),
        Result("good", "uploaded", 4),
    ]
    assert desk.waits == []


async def test_a_name_that_the_api_refuses_fails_alone(desk: Desk) -> None:
    desk.file("good")
    desk.file("a\tb")
    bad, good = await desk.send("a\tb", "good")
    assert (bad.how, good.how) == ("failed", "uploaded")
    assert "cannot be the name of a file" in bad.reason


async def test_a_file_that_changes_while_it_is_sent_fails_and_is_not_stored(desk: Desk) -> None:
    path = desk.file("f", bytes(4 * CHUNK_BYTES))

    def write_to_it(filename: str, done: int) -> None:
        if done == CHUNK_BYTES:
            path.open("ab").write(b"more")

    desk.on_move = write_to_it
    (result,) = await desk.send("f")
    assert result.how == "failed"
    assert "changed while it was being sent" in result.reason
    assert desk.stored() == {}
    assert not desk.manifest.exists()


async def test_a_file_that_is_gone_fails_alone(desk: Desk) -> None:
    desk.file("good")
    gone, good = await desk.send("gone", "good")
    assert (gone.how, gone.reason) == ("failed", "the file cannot be read: No such file or directory")
    assert good.how == "uploaded"


async def test_no_more_files_than_told_are_under_way_at_once(desk: Desk) -> None:
    for number in range(6):
        desk.file(f"f{number}")
    desk.fault(kind="latency", seconds=0.3, operation="put_upload")  # so that all who may are there together
    await desk.send(*(f"f{number}" for number in range(6)), at_once=3)
    assert desk.state()["most_in_flight"] == 3


async def test_refused_credentials_end_it_all_at_once(desk: Desk) -> None:
    desk.secret = "wrong"
    for number in range(5):
        desk.file(f"f{number}")
    with pytest.raises(ApiError, match="cannot get addresses for uploads to app 'app-a'") as error:
        await desk.send(*(f"f{number}" for number in range(5)))
    assert isinstance(error.value.outcome, Denied)


async def test_what_arrived_before_the_end_is_not_sent_again(desk: Desk) -> None:
    for name in ("first", "second"):
        desk.file(name, bytes(2 * CHUNK_BYTES))
    ended = asyncio.Event()
    desk.on_move = lambda filename, done: ended.set() if filename == "second" else None
    run = asyncio.create_task(desk.send("first", "second", at_once=1))
    await ended.wait()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert [result.how for result in await desk.send("first", "second")] == ["unchanged", "uploaded"]
    assert desk.stored()["first"]["times"] == 1


async def test_no_address_and_no_token_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk.file("f")
    desk.fault(kind="status", status=403, operation="put_upload", times=1)
    desk.fault(kind="status", status=400, operation="put_upload", skip=1)
    (result,) = await desk.send("f")
    assert "PUT" in caplog.text, "requests were logged"
    for hidden in ("signature", "expires=", "_sandbox/storage", desk.secret):
        assert hidden not in caplog.text + repr(result)


async def test_success_before_the_whole_file_was_read_is_none(desk: Desk) -> None:
    class Hasty:
        """A storage that says it has the file after its first piece."""

        async def put(self, url: str, chunks: AsyncIterator[bytes], size: int) -> Stored | NotStored:
            async for _ in chunks:
                break
            return Stored()

    desk.file("f", bytes(2 * CHUNK_BYTES))
    desk.storage = Hasty()
    (result,) = await desk.send("f")
    assert (result.how, len(desk.waits)) == ("failed", 5)
    assert "answered before it had the whole file" in result.reason
