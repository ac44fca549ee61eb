"""Puts the rows of each app into files of its own, a new one when one is full."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.export.file_names import FileNames
from bridge.export.part_file import PartFile


@dataclass(frozen=True, slots=True)
class FileLimits:
    """When a file is full: records, and bytes with the header row. A larger record has a file alone."""

    max_records: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that is complete. `sha256` is in hexadecimal."""

    name: str
    app: str
    records: int
    bytes: int
    sha256: str


class AppFiles:
    """The files of all apps, at most one of each growing. `head` is what every file begins with."""

    def __init__(self, folder: Path, names: FileNames, head: bytes, limits: FileLimits) -> None:
        self._folder = folder
        self._names = names
        self._head = head
        self._limits = limits
        self._growing: dict[str, PartFile] = {}
        self._numbers: dict[str, int] = {}
        self._written: list[WrittenFile] = []

    def append(self, app: str, rows: Sequence[bytes]) -> None:
        """Writes an app's rows, in their order."""
        start = 0
        while start < len(rows):
            file = self._growing.get(app) or self._begin(app)
            stop = self._fitting(file, rows, start)
            if stop > start:
                file.append(rows[start:stop])
            if stop < len(rows):
                self._end(app)
            start = stop

    def end(self) -> list[WrittenFile]:
        """Completes all files and returns them in the order of their names."""
        for app in list(self._growing):
            self._end(app)
        return sorted(self._written, key=lambda file: file.name)

    def _fitting(self, file: PartFile, rows: Sequence[bytes], start: int) -> int:
        """Up to which row the file has room; for one at least, if it has none yet."""
        most = min(len(rows), start + self._limits.max_records - file.records)
        size, stop = file.bytes, start
        while stop < most:
            size += len(rows[stop])
            if size > self._limits.max_bytes and (file.records or stop > start):
                break
            stop += 1
        return stop

    def _begin(self, app: str) -> PartFile:
        number = self._numbers[app] = self._numbers.get(app, 0) + 1
        file = self._growing[app] = PartFile(self._folder, self._names.name(app, number), self._head)
        return file

    def _end(self, app: str) -> None:
        file = self._growing.pop(app)
        file.sync()
        self._written.append(WrittenFile(file.name, app, file.records, file.bytes, file.sha256))
