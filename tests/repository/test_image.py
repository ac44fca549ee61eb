"""The Dockerfile agrees with the settings and with what the package is built from."""

import re
import tomllib
from pathlib import Path

import pytest

from bridge.config import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()

pytestmark = pytest.mark.docs_agree


def test_port() -> None:
    port = str(Settings().http.port)
    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == [port]
    assert re.findall(r"'BRIDGE_HTTP__PORT', (\d+)", DOCKERFILE) == [port]


def test_user_is_a_number_other_than_root() -> None:
    assert re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)[-1] != "0"


def test_what_the_wheel_is_made_of_reaches_the_build() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = pyproject["project"]
    made_of = [*wheel["packages"], *wheel["force-include"], project["readme"], *project["license-files"]]
    assert {f"!{name}" for name in ["pyproject.toml", *made_of]} <= set(ignore)
