"""Sends files, several at once: an address for each, retries, and an entry in the manifest at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from bridge.core.backoff import Backoff
from bridge.core.errors import BridgeError
from bridge.core.outcome import Denied
from bridge.productiv.questions import ApiError
from bridge.productiv.storage import NotStored, Stored
from bridge.uploads.files import Content, FileChanged, Reading, content_of
from bridge.uploads.manifest import Manifest, Upload

TRIES = 6
BACKOFF = Backoff(0.5, 30.0)  # seconds; six tries wait 15.5 s at most


class Addresses(Protocol):
    """Where signed addresses come from."""

    async def upload_urls(self, app: str, filenames: Sequence[str]) -> dict[str, str]:
        """One for each file name."""
        ...


class Storage(Protocol):
    """Where files go."""

    async def put(self, url: str, chunks: AsyncIterator[bytes], size: int) -> Stored | NotStored:
        """Sends one file."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file, with the reason where it failed."""

    filename: str
    how: Literal["uploaded", "unchanged", "failed"]
    size: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the files go: the API by its address, the app by its id."""

    api: str
    app: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How files are sent: `at_once` at most, each tried `tries` times with waits as `backoff` says.

    `sleep` lets seconds pass, `draw` gives numbers in [0, 1), `now` is the time of day with its zone.
    """

    at_once: int
    draw: Callable[[], float]
    now: Callable[[], datetime]
    tries: int = TRIES
    backoff: Backoff = BACKOFF
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


OnProgress = Callable[[str, int], None]
"""Told the name of a file and how many bytes of it are done; less than before when it starts anew."""


class Uploader:
    """Sends files to one app and notes in the manifest what arrived."""

    def __init__(
        self,
        target: Target,
        addresses: Addresses,
        storage: Storage,
        manifest: Manifest,
        pace: Pace,
        on_progress: OnProgress = lambda filename, done: None,
        on_result: Callable[[Result], None] = lambda result: None,
    ) -> None:
        self._target = target
        self._addresses = addresses
        self._storage = storage
        self._manifest = manifest
        self._pace = pace
        self._on_progress = on_progress
        self._on_result = on_result

    async def send(self, files: Mapping[str, Path]) -> list[Result]:
        """Sends the files, given by name, and says what became of each, in their order.

        Raises:
            BridgeError: the API refuses the credentials, or the manifest cannot be written. What arrived
                until then is in the manifest.
        """
        places = asyncio.Semaphore(self._pace.at_once)

        async def one(filename: str, path: Path) -> Result:
            async with places:
                result = await self._one(filename, path)
            self._on_result(result)
            return result

        tasks: list[asyncio.Task[Result]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(name, path)) for name, path in files.items()]
        except ExceptionGroup as errors:
            if isinstance(first := errors.exceptions[0], BridgeError):
                raise first from None
            raise
        return [task.result() for task in tasks]

    async def _one(self, filename: str, path: Path) -> Result:
        try:
            if same := await asyncio.to_thread(self._unchanged, filename, path):
                self._on_progress(filename, same.size)
                return Result(filename, "unchanged", same.size)
            content = await self._until_stored(filename, path)
        except (FileChanged, ApiError) as error:
            if isinstance(error, ApiError) and isinstance(error.outcome, Denied):
                raise  # it will be the same for every other file
            return Result(filename, "failed", reason=str(error))
        except OSError as error:
            return Result(filename, "failed", reason=f"the file cannot be read: {error.strerror}")
        if isinstance(content, NotStored):
            return Result(filename, "failed", reason=content.reason)
        moment = self._pace.now().isoformat(timespec="seconds")
        target = self._target
        self._manifest.add(Upload(target.api, target.app, filename, content.size, content.sha256, moment))
        return Result(filename, "uploaded", content.size)

    def _unchanged(self, filename: str, path: Path) -> Content | None:
        """What the file holds, if exactly that was uploaded before."""
        before = self._manifest.find(self._target.api, self._target.app, filename)
        if before is None or path.stat().st_size != before.size:
            return None
        content = content_of(path)
        return content if content == Content(before.size, before.sha256) else None

    async def _until_stored(self, filename: str, path: Path) -> Content | NotStored:
        pace, url = self._pace, ""
        failures = 0
        while True:
            url = url or (await self._addresses.upload_urls(self._target.app, [filename]))[filename]
            result = await self._put(filename, path, url)
            if isinstance(result, Content) or result.kind == "refused":
                return result
            failures += 1
            if failures == pace.tries:
                return NotStored(result.kind, f"{result.reason}; given up after {failures} tries")
            if result.kind == "expired":
                url = ""
            if result.kind == "trouble" or failures > 1:
                # A first address that has expired is replaced at once; a second one in a row is trouble too.
                await pace.sleep(pace.backoff.wait(failures, pace.draw))

    async def _put(self, filename: str, path: Path, url: str) -> Content | NotStored:
        with path.open("rb") as file:
            reading = Reading(file)
            result = await self._storage.put(url, self._watched(filename, reading), reading.size)
            if isinstance(result, Stored) and reading.content.size != reading.size:
                return NotStored("trouble", "the storage answered before it had the whole file")
            return reading.content if isinstance(result, Stored) else result

    async def _watched(self, filename: str, reading: Reading) -> AsyncIterator[bytes]:
        self._on_progress(filename, 0)
        async for chunk in reading.chunks():
            yield chunk
            self._on_progress(filename, reading.sent + len(chunk))
