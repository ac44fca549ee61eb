"""The status page of a bridge at work, in a real browser."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.flows.browser import browser, chromium
from tests.flows.conftest import staged
from tests.flows.process import PATIENCE, BridgeProcess
from tests.flows.setting import Stage, usage
from tests.kafka_broker.broker import OwnBroker
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.mock import MockBroker

SOON = 5_000  # milliseconds: what is wrong is on the page within this time
PATIENT = PATIENCE * 1000


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium; on Debian: apt-get install chromium")
    with browser(path) as made:
        yield made


@contextmanager
def opened(chrome: Browser, bridge: BridgeProcess) -> Iterator[Page]:
    """The page; fails if the browser finds fault with it, or refuses a part of it."""
    complaints: list[str] = []
    page = chrome.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(bridge.url)
    try:
        yield page
        assert complaints == []
    finally:
        page.close()


@contextmanager
def traffic(stage: Stage) -> Iterator[None]:
    """Two apps' events, all the time."""
    ended = threading.Event()

    def produce() -> None:
        for number in count(0, 20):
            stage.produce(usage(number + n, app=("crm", "board")[n % 2]) for n in range(20))
            if ended.wait(0.2):
                return

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def says(page: Page, part: str, *words: str, within: float = SOON) -> None:
    """Waits until a part of the page says all of this."""
    for each in words:
        expect(page.locator(f"[id='{part}']")).to_contain_text(each, timeout=within)


@pytest.fixture
def stage(mock_kafka: Cluster[MockBroker], tmp_path: Path) -> Iterator[Stage]:
    """Only the page is looked at, so one kind of Kafka will do."""
    with staged(mock_kafka, tmp_path) as made:
        yield made


def test_it_shows_that_data_flows_and_within_seconds_that_an_app_does_not(
    stage: Stage, chrome: Browser
) -> None:
    bridge = stage.bridge(park_after_seconds=None).start()
    with traffic(stage), opened(chrome, bridge) as page:
        says(page, "headline", "All is well: data flows", within=PATIENT)
        says(page, "stream-usage", "flowing")
        stage.fault(kind="status", status=503, app="crm")
        says(page, "headline", "Data flows, but some of it waits")
        says(page, "causes", "crm", "503", "Productiv", "docs/runbook.md#one-app-fails")
        stage.clear_faults()
        says(page, "headline", "All is well: data flows", within=PATIENT)
        plots = page.locator("#stream-usage .plot path")
        expect(plots.first).to_have_attribute("d", re.compile("^M0.0 24L"), timeout=PATIENT)


def test_it_shows_within_seconds_that_the_api_refuses_us(stage: Stage, chrome: Browser) -> None:
    bridge = stage.bridge(park_after_seconds=None).start()
    with traffic(stage), opened(chrome, bridge) as page:
        says(page, "headline", "All is well: data flows", within=PATIENT)
        stage.fault(kind="status", status=403)
        says(page, "causes", "refuses our credentials", "403", "docs/runbook.md#api-denied")
        says(page, "stream-usage", "stopped")


@pytest.mark.real_kafka
def test_it_shows_within_seconds_that_kafka_is_gone_and_then_that_it_is_back(
    own_stage: Stage, own_kafka: Cluster[OwnBroker], chrome: Browser
) -> None:
    bridge = own_stage.bridge().start()
    with opened(chrome, bridge) as page:
        says(page, "stream-usage", "idle", within=PATIENT)
        own_kafka.broker.kill()
        says(page, "causes", "no broker answers", "Kafka", "docs/runbook.md#kafka-does-not-answer")
        says(page, "stream-usage", "stopped")
        own_kafka.broker.start()
        says(page, "headline", "All is well", within=PATIENT)


def test_it_says_when_nobody_tells_it_anything_any_more(stage: Stage, chrome: Browser) -> None:
    bridge = stage.bridge().start()
    page = chrome.new_page()  # which is to find fault with the connection
    page.goto(bridge.url)
    says(page, "stream-usage", "idle", within=PATIENT)
    expect(page.locator("#live")).to_be_empty()
    bridge.kill()
    says(page, "live", "Not live: no word from the bridge since", within=2 * SOON)


def test_it_fits_a_phone_and_is_dark_where_that_is_wanted(stage: Stage, chrome: Browser) -> None:
    bridge = stage.bridge().start()
    with opened(chrome, bridge) as page:
        says(page, "stream-usage", "idle", within=PATIENT)
        paper = {}
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            paper[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 19, 24)"}
        page.set_viewport_size({"width": 360, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.locator("#stream-usage td").nth(2).evaluate(
            "cell => getComputedStyle(cell, '::before').content"
        ) == '"lag"'  # fmt: skip


def test_without_scripts_it_is_whole_and_reloads_itself(stage: Stage, chrome: Browser) -> None:
    bridge = stage.bridge().start()
    page = chrome.new_context(java_script_enabled=False).new_page()
    page.goto(bridge.url)
    expect(page.locator("#stream-usage")).to_contain_text("idle", timeout=PATIENT)
