"""File names for apps, whatever characters an app's name has."""

import re
from hashlib import blake2b

from bridge.streams import SINKS

# What is safe on every file system, in an address and in a shell. 100 characters leave room for the stream
# and the number within the 255 bytes that file systems allow.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_READABLE_CHARACTERS = 60

# Every name that an export gives, by which an earlier one is known.
_OURS = re.compile(
    r"(manifest\.json|(rejects|deletions)\.ndjson"
    rf"|({'|'.join(map(re.escape, SINKS))})-.+-[0-9]{{4,}}\.(csv|ndjson))(\.part)?"
)


def is_of_export(name: str) -> bool:
    """Whether an export may have written a file of this name."""
    return _OURS.fullmatch(name) is not None


class FileNames:
    """Names `<stream>-<app>-<n>.<suffix>` that no two apps share, also where upper and lower case are one."""

    def __init__(self, stream: str, suffix: str) -> None:
        self._stream = stream
        self._suffix = suffix
        self._plain: dict[str, str] = {}

    def name(self, app: str, number: int) -> str:
        """The name of an app's file with this number, from 1."""
        return f"{self._stream}-{self._safe(app)}-{number:04}.{self._suffix}"

    def _safe(self, app: str) -> str:
        """The app if it can stand in a file name; else what can of it, and a hash to tell it from others."""
        if _PLAIN.fullmatch(app) and self._plain.setdefault(app.lower(), app) == app:
            return app
        readable = _UNSAFE.sub("_", app)[:_READABLE_CHARACTERS]
        return f"{readable}~{blake2b(app.encode(), digest_size=8).hexdigest()}"
