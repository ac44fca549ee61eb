"""A real Chromium without a window, where there is one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """Where it is; None if there is none. Debian has it in the package `chromium`."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser(path: str) -> Iterator[Browser]:
    """The browser at this path, for as long as the block lasts."""
    with sync_playwright() as playwright:
        # Containers and root have no namespaces to build Chromium's sandbox of; it opens our page alone.
        made = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()
