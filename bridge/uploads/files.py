"""The files of an upload: checked before anything is sent, read piece by piece, watched for changes."""

import asyncio
import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bridge.core.errors import BridgeError, ConfigError

CHUNK_BYTES = 256 * 1024
"""What is in memory of each file under way. A chunk must leave within the write timeout: at the default of
30 s a line of 9 kB/s is fast enough."""
MAX_NAME_CHARACTERS = 255


class FileChanged(BridgeError):
    """The file is not what it was when it was opened, so what was sent of it is no version of it."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: its size in bytes and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


def checked(paths: Sequence[Path], manifest: Path) -> dict[str, Path]:
    """The files by the names that Productiv will know them by, which are their last parts.

    Raises:
        ConfigError: names every file that cannot be sent, and why.
    """
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        by_name[path.name].append(path)
    problems = [problem for path in dict.fromkeys(paths) if (problem := _problem(path, manifest))]
    problems += [
        f"{' and '.join(map(str, same))}: would have the same name at Productiv; rename all but one"
        for same in by_name.values()
        if len(same) > 1
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    return {name: path for name, (path,) in by_name.items()}


def _problem(path: Path, manifest: Path) -> str | None:
    if not path.name.isprintable() or len(path.name) > MAX_NAME_CHARACTERS:
        return f"{path!s}: has a name that Productiv may not take; use up to 255 printable characters"
    if path.absolute() == manifest.absolute():
        return f"{path}: is the manifest; leave it out, or name another one"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return f"{path}: is not a regular file"
        with path.open("rb"):
            return None
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"


def content_of(path: Path) -> Content:
    """Reads a file and says what it holds.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return Content(file.tell(), digest.hexdigest())


class Reading:
    """One reading of a file from start to end: `size` is known before, `content` when `chunks` has ended.

    The last chunk is given out only if the file is still as it was at the opening, so no whole request is
    ever made of two versions of it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._opened = os.fstat(file.fileno())
        self._digest = hashlib.sha256()
        self.sent = 0

    @property
    def size(self) -> int:
        """Bytes that the file had when it was opened."""
        return self._opened.st_size

    @property
    def content(self) -> Content:
        """What was given out so far."""
        return Content(self.sent, self._digest.hexdigest())

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file in pieces.

        Raises:
            FileChanged: it was written to, grew or shrank since it was opened.
            OSError: it cannot be read any more.
        """
        left = self.size
        while left:
            chunk = await asyncio.to_thread(self._next, left)
            left -= len(chunk)
            yield chunk
            self.sent += len(chunk)

    def _next(self, left: int) -> bytes:
        chunk = self._file.read(min(CHUNK_BYTES, left))
        self._digest.update(chunk)
        now = os.fstat(self._file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self._opened.st_size, self._opened.st_mtime_ns) or not chunk:
            raise FileChanged("the file changed while it was being sent; send it again once it is complete")
        return chunk
