"""Photographs the status page of a demonstration for docs/images: python -m tests.flows.status_shots"""

import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.flows.browser import browser, chromium

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SECONDS = 150  # of which one app is down from 58 to 101
WIDE, PHONE = {"width": 1100, "height": 800}, {"width": 390, "height": 760}


def main() -> None:
    """Plays a demonstration, and takes its pictures while an app is down."""
    path = chromium()
    if path is None:
        sys.exit("there is no Chromium; on Debian: apt-get install chromium")
    demo = [sys.executable, "-u", "-m", "bridge", "demo", "--duration", str(SECONDS)]
    with subprocess.Popen(demo, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        url = next(m[1] for line in process.stdout if (m := re.search(r"^Bridge +(http://[^/]+)/", line)))
        with browser(path) as chrome:
            _shoot(chrome, url)
        process.terminate()


def _shoot(chrome: Browser, url: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    page = chrome.new_page(viewport=WIDE)  # type: ignore[arg-type]
    page.goto(url)
    expect(page.locator("#causes")).to_contain_text("1 app is waiting", timeout=SECONDS * 1000)
    page.wait_for_timeout(15_000)  # until the plots show it too
    page.screenshot(path=IMAGES / "status-light.png")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.screenshot(path=IMAGES / "status-phone.png")


if __name__ == "__main__":
    main()
