"""The directory that an export writes to. Its files get their names when all of them are complete."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.core.errors import BridgeError, ConfigError
from bridge.export.file_names import is_of_export
from bridge.export.part_file import PART_SUFFIX, PartFile, sync

MANIFEST = "manifest.json"


class Output:
    """A directory for one export.

    Until `complete`, all files are `.part`, so that a killed export leaves none that looks whole. The
    manifest comes last: without one, an export is not complete.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def opened(self, overwrite: bool) -> Iterator[None]:
        """Makes the directory ready, and takes away what is not complete if the export fails.

        With `overwrite`, the files of an earlier export stay until this one is complete.

        Raises:
            ConfigError: it cannot be written to, or holds an earlier export and may not be overwritten.
            BridgeError: a file could not be written later.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._refuse_earlier(overwrite)
            self._discard()
            self._manifest = PartFile(self.folder, MANIFEST)  # also shows that the directory can be written
        except OSError as error:
            raise ConfigError(f"{self.folder}: cannot be written to: {error.strerror}") from None
        try:
            yield
        except OSError as error:
            raise BridgeError(f"{self.folder}: could not be written: {error.strerror}") from error
        finally:
            self._discard()

    def complete(self, names: list[str], manifest: bytes) -> None:
        """Gives the files their names, in place of an earlier export's, and then writes the manifest."""
        # An earlier manifest goes first, as it is no longer true once its files go.
        (self.folder / MANIFEST).unlink(missing_ok=True)
        for name in self._earlier():
            if not name.endswith(PART_SUFFIX):
                (self.folder / name).unlink()
        for name in names:
            self._name(name)
        sync(self.folder)
        self._manifest.append([manifest])
        self._manifest.sync()
        self._name(MANIFEST)
        sync(self.folder)

    def _name(self, name: str) -> None:
        (self.folder / (name + PART_SUFFIX)).rename(self.folder / name)

    def _earlier(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if is_of_export(path.name))

    def _refuse_earlier(self, overwrite: bool) -> None:
        earlier = self._earlier()
        if earlier and not overwrite:
            raise ConfigError(
                f"{self.folder}: holds an earlier export, complete or not ({earlier[0]}); name another "
                "directory, or use --overwrite"
            )

    def _discard(self) -> None:
        for name in self._earlier():
            if name.endswith(PART_SUFFIX):
                (self.folder / name).unlink()
