"""A file that is being written, under a name that shows it."""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

PART_SUFFIX = ".part"


class PartFile:
    """Grows by rows; keeps count of records, bytes and checksum, and no file open: there may be many apps."""

    def __init__(self, folder: Path, name: str, head: bytes = b"") -> None:
        self.name = name
        self.records = 0
        self.bytes = 0
        self._path = folder / (name + PART_SUFFIX)
        self._digest = sha256()
        self._append(head, "xb")

    @property
    def sha256(self) -> str:
        """The checksum of all that was written, in hexadecimal."""
        return self._digest.hexdigest()

    def append(self, rows: Sequence[bytes]) -> None:
        """Writes rows at the end."""
        self._append(b"".join(rows), "ab")
        self.records += len(rows)

    def sync(self) -> None:
        """Returns once the file is on the disk."""
        sync(self._path)

    def _append(self, content: bytes, mode: str) -> None:
        with self._path.open(mode) as file:
            file.write(content)
        self._digest.update(content)
        self.bytes += len(content)


def sync(path: Path) -> None:
    """Returns once a file, or the list of a directory's files, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
