"""Batch files: signed addresses for the asking, and the storage behind them.

The description leaves open where the addresses point. Here it is the sandbox itself, and it behaves as object
stores do: an address is good for one file and some time, and a second kind of credentials is refused.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from bridge.sandbox.call import Answer, Call, Operation, Page, json_answer, refusal
from bridge.sandbox.config import CONNECTOR_WRITE, SandboxConfig

MAX_NAMES = 1000
"""File names in one request for addresses."""
MAX_NAME_LENGTH = 255


class Uploads:
    """The files put so far: size and checksum, not content. `clock` gives seconds since the epoch."""

    name = "uploads"
    content_path = "uploads"

    def __init__(self, config: SandboxConfig, clock: Callable[[], float]) -> None:
        self._lifetime = config.upload_url_seconds
        self._max_files = config.max_held
        self._key = f"sandbox uploads {config.seed}".encode()
        self._clock = clock
        self.reset()

    def operations(self) -> Sequence[Operation]:
        """The call for addresses, and the storage, which needs no token but a signature."""
        path = "/services/push/v1/customer/apps/{app}/upload"
        stored = "/_sandbox/storage/{app}/{filename}"
        return [
            Operation("get_batch_upload_urls", "GET", path, CONNECTOR_WRITE, self._addresses),
            Operation("put_upload", "PUT", stored, None, self._put, digest_body=True),
        ]

    def _addresses(self, call: Call) -> Answer:
        names = call.query.getlist("filenames")
        if not 1 <= len(names) <= MAX_NAMES:
            return refusal(400, f"filenames is required, once for each file, at most {MAX_NAMES} times")
        for name in names:
            if not _can_be_a_name(name):
                return refusal(400, f"{name!r} cannot be the name of a file")
        urls = [{"filename": name, "uploadUrl": self._address(call, name)} for name in names]
        self._addresses_given[call.app] = self._addresses_given.get(call.app, 0) + len(names)
        return json_answer(200, {"uploadUrls": urls})

    def _address(self, call: Call, name: str) -> str:
        expires = int(self._clock() + self._lifetime)
        query = urlencode({"expires": expires, "signature": self._signature(call.app, name, str(expires))})
        return f"{call.base_url}/_sandbox/storage/{quote(call.app, safe='')}/{quote(name, safe='')}?{query}"

    def _signature(self, app: str, name: str, expires: str) -> str:
        return hmac.digest(self._key, f"{app}\n{name}\n{expires}".encode(), "sha256").hex()

    def _put(self, call: Call) -> Answer:
        name, expires = call.params["filename"], call.query.get("expires", "")
        if "authorization" in call.headers:
            self._authorized += 1
            return refusal(400, "a signed address takes no Authorization header besides")
        signature = self._signature(call.app, name, expires)
        if not hmac.compare_digest(signature.encode(), call.query.get("signature", "").encode()):
            return refusal(403, "the signature does not fit")
        if int(expires) <= self._clock():
            return refusal(403, "the address has expired")
        if len(self._files) >= self._max_files and (call.app, name) not in self._files:
            return refusal(507, f"the sandbox remembers at most {self._max_files} files")
        times = self._files.get((call.app, name), {"times": 0})["times"] + 1
        self._files[call.app, name] = {"filename": name, **call.document, "times": times}
        return Answer(200, b"")

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """Addresses given and files put, by app, and requests that carried a token to a signed address."""
        files = Counter(app for app, _ in self._files)
        figures: dict[str, dict[str, Any]] = {
            app: {"addresses": given, "files": files[app]} for app, given in self._addresses_given.items()
        }
        return {**figures, "": {"tokens_on_signed_addresses": self._authorized}} if figures else {}

    def page(self, app: str, offset: int, limit: int) -> Page:
        """Files with size in bytes, SHA-256, and how often each was put."""
        files = [record for (owner, _), record in self._files.items() if owner == app]
        return Page(files[offset : offset + limit], len(files), len(files))

    def reset(self) -> None:
        """Forgets all files, and makes the addresses given out so far worthless."""
        self._key = hashlib.sha256(self._key).digest()
        self._files: dict[tuple[str, str], dict[str, Any]] = {}
        self._addresses_given: dict[str, int] = {}
        self._authorized = 0


def _can_be_a_name(name: str) -> bool:
    return (
        name.isprintable()
        and "/" not in name
        and 1 <= len(name) <= MAX_NAME_LENGTH
        and name not in (".", "..")
    )
