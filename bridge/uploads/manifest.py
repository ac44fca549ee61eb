"""What was uploaded, kept in a JSON file, so that a second run sends only what is missing or changed.

    {"uploads": [{"api": ..., "app": ..., "filename": ..., "size": ..., "sha256": ..., "uploaded_at": ...}]}

`api` is the address of the API and `app` the app's id there, so that a try-out on a sandbox is not taken for
the real thing. `uploaded_at` is in ISO 8601 and UTC.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from bridge.core.errors import BridgeError, ConfigError

Key = tuple[str, str, str]


@checked_dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class Upload:
    """One file as it was taken by the storage; `size` is in bytes."""

    api: str
    app: str
    filename: str
    size: int
    sha256: str
    uploaded_at: str


@dataclass(frozen=True, slots=True)
class _Document:
    uploads: list[Upload]


_DOCUMENT = TypeAdapter(_Document)


class Manifest:
    """The manifest at `path`, which need not exist yet.

    Raises:
        ConfigError: the file is something else, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._uploads = {_key(upload): upload for upload in _read(path)}

    def find(self, api: str, app: str, filename: str) -> Upload | None:
        """The last upload of a file, if any."""
        return self._uploads.get((api, app, filename))

    def add(self, upload: Upload) -> None:
        """Remembers an upload at once: whatever happens next, the file is whole, before or after.

        Raises:
            BridgeError: the file cannot be written.
        """
        self._uploads[_key(upload)] = upload
        text = json.dumps({"uploads": [asdict(each) for each in self._uploads.values()]}, indent=2)
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
        try:
            with beside.open("w", encoding="utf-8") as file:
                file.write(f"{text}\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise BridgeError(f"cannot write the manifest {self._path}: {error.strerror}") from None


def _key(upload: Upload) -> Key:
    return upload.api, upload.app, upload.filename


def _read(path: Path) -> list[Upload]:
    try:
        return _DOCUMENT.validate_json(path.read_bytes()).uploads
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"cannot read the manifest {path}: {error.strerror}") from None
    except ValidationError:
        raise ConfigError(
            f"{path} is no manifest of uploads; name another file, or move it away to send everything again"
        ) from None
