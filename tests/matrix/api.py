"""The sandbox API of one cell: switched on and off, made to answer badly, and looked into."""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

from bridge.sandbox import SandboxServer

SECONDS = 30.0


class Api:
    """A sandbox, and the apps that a cell is about."""

    def __init__(self, server: SandboxServer, apps: Sequence[str]) -> None:
        self.url = server.url
        self.is_off = False
        self._server = server
        self._apps = apps

    def switch_off(self) -> None:
        """Takes it from the network: connections are refused."""
        self._server.stop()
        self.is_off = True

    def switch_on(self) -> None:
        """Brings it back, with all that it knew."""
        self._server.start()
        self.is_off = False

    def fault(self, **fault: Any) -> None:
        """Switches a fault on."""
        self._ask("/_sandbox/faults", json.dumps(fault).encode())

    def clear_faults(self) -> None:
        """Switches all faults off."""
        self._ask("/_sandbox/faults", method="DELETE")

    def fired(self) -> int:
        """How often a fault struck since they were last cleared."""
        return sum(fault["fired"] for fault in self._ask("/_sandbox/faults")["faults"])

    def content(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """All that it took, `events`, `users` or `spend`, each with its app."""
        for app in self._apps:
            page = self._ask(f"/_sandbox/{kind}?app={app}&limit=10000")
            assert page["next_offset"] is None, "a cell has fewer records"
            yield from ((app, item) for item in page["items"])

    def _ask(self, path: str, body: bytes | None = None, method: str | None = None) -> Any:
        request = urllib.request.Request(self.url + path, body, method=method)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)
