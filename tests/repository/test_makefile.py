"""The Makefile finds a Python, or says plainly what is missing."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

NOT_FOUND = "Python 3.11 or newer is needed"
NO_ENSUREPIP = 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12;; esac'
FIT = "exit 0"


def find_python(folder: Path, **programs: str) -> "subprocess.CompletedProcess[str]":
    """Runs the finder where these programs are the only ones in PATH."""
    for name, script in programs.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    shell = shutil.which("sh")
    assert shell is not None
    finder = [shell, str(ROOT / "tools" / "find_python.sh")]
    return subprocess.run(
        finder, env={"PATH": str(folder)}, capture_output=True, text=True, timeout=30, check=False
    )


def test_takes_the_first_that_fits(tmp_path: Path) -> None:
    found = find_python(tmp_path, **{"python3": "exit 1", "python3.13": NO_ENSUREPIP, "python3.12": FIT})
    assert (found.returncode, found.stdout.strip()) == (0, str(tmp_path / "python3.12"))


@pytest.mark.parametrize("programs", [{}, {"python3": "exit 1"}])
def test_says_that_there_is_no_python(tmp_path: Path, programs: dict[str, str]) -> None:
    found = find_python(tmp_path, **programs)
    assert found.returncode == 1
    assert found.stderr.startswith(NOT_FOUND)
    assert len(found.stderr.splitlines()) == 1


def test_says_that_ensurepip_is_missing(tmp_path: Path) -> None:
    found = find_python(tmp_path, python3=NO_ENSUREPIP)
    assert found.returncode == 1
    assert "apt-get install python3.12-venv" in found.stderr
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.docs_agree
def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    make = shutil.which("make")
    assert make is not None
    listed = subprocess.run(
        [make, "-s"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    ).stdout
    assert set(re.findall(r"make ([a-z-]+)", listed)) >= set(phony.split())
