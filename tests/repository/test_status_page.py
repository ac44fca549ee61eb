"""What the status page points to is there, and the page says of its bounds what they are."""

import re
from pathlib import Path

import pytest

from bridge.telemetry.refused_kinds import MAX_KINDS
from bridge.telemetry.status.cause import Section
from bridge.telemetry.status.facts import MAX_APPS
from bridge.telemetry.status.history import EVERY_SECONDS, KEPT_SECONDS
from bridge.telemetry.status.routes import MAX_READERS

pytestmark = pytest.mark.docs_agree

DOCS = Path(__file__).parents[2] / "docs"
RUNBOOK = DOCS / "runbook.md"


@pytest.mark.parametrize("section", Section)
def test_the_runbook_has_each_section(section: Section) -> None:
    titles = re.findall(r"^#+ (.*)$", RUNBOOK.read_text(), re.MULTILINE)
    assert section in {title.lower().replace(" ", "-") for title in titles}


def test_the_bounds_are_as_the_page_says() -> None:
    samples = int(KEPT_SECONDS / EVERY_SECONDS) + 1
    text = " ".join((DOCS / "status-page.md").read_text().split())
    for said in (
        f"at most {MAX_APPS} apps are named",
        f"{MAX_KINDS} kinds of dead letters",
        f"At most {MAX_READERS} browsers",
        f"every {EVERY_SECONDS:.0f} seconds a sample for the plots ({samples} at most",
    ):
        assert said in text, said


@pytest.mark.parametrize("image", ["status-light.png", "status-phone.png"])
def test_pictures_are_there_and_small(image: str) -> None:
    content = (DOCS / "images" / image).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 200_000
