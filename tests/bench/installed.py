"""Peers, each in an environment of its own, as what they need does not fit together: made once, by itself.

Environments of Python lie in `.cache/bench-peers/`, named after the lock that they were made from, so that
a changed lock makes a new one. Without a network a peer is left out, and the reason is told.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers.arguments import READY

CHECKOUT = Path(__file__).parents[2]
CACHE = CHECKOUT / ".cache" / "bench-peers"
PEERS = Path(__file__).with_name("peers")

# The one without what needs a licence.
REDPANDA_CONNECT = "github.com/redpanda-data/connect/v4/cmd/redpanda-connect-community@v4.93.0"
REDPANDA_CONNECT_NAMES = ("redpanda-connect", "redpanda-connect-community")
INSTALL_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Peer:
    """One that is there: what to run, how it says that it is ready, and the versions that matter.

    With `takes_environment` it is told what to do in variables, else in arguments.
    """

    command: Sequence[str]
    ready: str
    versions: Mapping[str, str]
    takes_environment: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One that is not there."""

    reason: str


Installed = Peer | LeftOut


def python_peer(module: str, packages: Sequence[str]) -> Installed:
    """A peer in Python: its environment is made if need be; `packages` are those whose versions are told."""
    lock = PEERS / f"{module}.txt"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    environment = CACHE / f"{module}-{digest}"
    python = environment / "bin" / "python"
    if not (environment / "installed").exists():
        install = ["-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "1", "install"]
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(environment)],
            # Without dependencies: the lock names them all, and pip need not find out what fits together.
            [str(python), *install, "--quiet", "--no-deps", "--require-hashes", "--requirement", str(lock)],
        ):
            if (failed := _failure(command)) is not None:
                return LeftOut(f"it cannot be installed: {failed}")
        (environment / "installed").touch()
    command = [str(python), "-m", f"tests.bench.peers.{module}"]
    told = _pinned(lock)
    return Peer(command, READY, {name: told[name] for name in packages})


def redpanda_connect() -> Installed:
    """From PATH, or built with Go into the cache folder."""
    cached = (CACHE / "go" / name for name in REDPANDA_CONNECT_NAMES)
    for found in (
        *map(shutil.which, REDPANDA_CONNECT_NAMES),
        *(str(path) for path in cached if path.exists()),
    ):
        if found is not None:
            command = [found, "run", str(PEERS / "redpanda_connect.yaml")]
            return Peer(command, "Launching", {"redpanda-connect": _told(found)}, takes_environment=True)
    go = shutil.which("go")
    if go is None:
        return LeftOut("neither redpanda-connect nor Go to build it with is on PATH")
    environment = {**os.environ, "GOBIN": str(CACHE / "go")}
    if (failed := _failure([go, "install", REDPANDA_CONNECT], environment)) is not None:
        return LeftOut(f"Go cannot build it: {failed}")
    return redpanda_connect()


PYTHON_PEERS: Mapping[str, tuple[str, Sequence[str]]] = {
    "mq-bridge": ("mq_bridge", ["mq-bridge"]),
    "Quix Streams": ("quix", ["quixstreams", "confluent-kafka"]),
    "Arroyo": ("arroyo", ["sentry-arroyo", "confluent-kafka"]),
    "FastStream": ("faststream", ["faststream", "confluent-kafka"]),
}
NAMES = (*PYTHON_PEERS, "Redpanda Connect")


def peers(names: Sequence[str], tell: Callable[[str], None]) -> dict[str, Installed]:
    """Those of these names, installed where that can be; `tell` hears what takes a while."""
    found: dict[str, Installed] = {}
    for name in names:
        tell(f"{name}: installing it, unless it is there")
        found[name] = python_peer(*PYTHON_PEERS[name]) if name in PYTHON_PEERS else redpanda_connect()
    return found


def _pinned(lock: Path) -> dict[str, str]:
    lines = (line.split()[0] for line in lock.read_text().splitlines() if "==" in line.partition("#")[0])
    return {name: version for name, _, version in (line.partition("==") for line in lines)}


def _told(program: str) -> str:
    answered = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    return answered.stdout.strip().splitlines()[0].removeprefix("Version: ") if answered.stdout else "unknown"


def _failure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str | None:
    """Runs it; the last line of what it said if it failed."""
    try:
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
            env=environment,
            cwd=CHECKOUT,
        )
    except subprocess.TimeoutExpired:
        return f"not done within {INSTALL_SECONDS:g} s"
    if ran.returncode == 0:
        return None
    said = (ran.stderr or ran.stdout).strip().splitlines()
    return said[-1].strip() if said else f"it ended with {ran.returncode}"
