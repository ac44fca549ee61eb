"""The sandbox API of one cell: switched on and off, made to answer badly, and looked into."""

import json
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from bridge.sandbox import SandboxServer

SECONDS = 30.0
GROWING = ("events", "spend")
"""What is only added to, so that it need not be read twice."""


class Api:
    """A sandbox, and the apps that a cell is about."""

    def __init__(self, server: SandboxServer, apps: Sequence[str]) -> None:
        self.url = server.url
        self.is_off = False
        self._server = server
        self._apps = apps
        self._kept: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)

    def switch_off(self) -> None:
        """Takes it from the network: connections are refused."""
        self._server.stop()
        self.is_off = True

    def switch_on(self) -> None:
        """Brings it back, with all that it knew."""
        self._server.start()
        self.is_off = False

    def fault(self, **fault: Any) -> int:
        """Switches a fault on and returns its id."""
        armed: dict[str, Any] = self._ask("/_sandbox/faults", json.dumps(fault).encode())
        return int(armed["id"])

    def clear_faults(self, *ids: int) -> None:
        """Switches these faults off, or all."""
        for path in [f"/{each}" for each in ids] or [""]:
            self._ask(f"/_sandbox/faults{path}", method="DELETE")

    def fired(self, *ids: int) -> int:
        """How often these faults struck, or all since they were last cleared."""
        faults = self._ask("/_sandbox/faults")["faults"]
        return sum(fault["fired"] for fault in faults if not ids or fault["id"] in ids)

    def content(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """All that it took, `events`, `users`, `spend` or `org-chart`, each with its app."""
        for app in ("",) if kind == "org-chart" else self._apps:
            if kind not in GROWING:
                self._kept[kind, app] = []
            self._read_on(kind, app, self._kept[kind, app])
            yield from ((app, item) for item in self._kept[kind, app])

    def _read_on(self, kind: str, app: str, kept: list[dict[str, Any]]) -> None:
        while True:
            page = self._ask(f"/_sandbox/{kind}?app={app}&limit=10000&offset={len(kept)}")
            assert page["kept"] == page["total"], "the sandbox keeps all that there is"
            kept += page["items"]
            if page["next_offset"] is None:
                return

    def _ask(self, path: str, body: bytes | None = None, method: str | None = None) -> Any:
        request = urllib.request.Request(self.url + path, body, method=method)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)
