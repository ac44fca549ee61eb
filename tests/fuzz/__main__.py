"""`python -m tests.fuzz`: each target for some seconds, in a process of its own."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bridge"]):
    from tests.fuzz.targets import TARGETS

ROOT = Path("build/fuzz")
NAMED = {target.__name__: target for target in TARGETS}


def main() -> int:
    """Returns how many targets failed."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"by default all of {', '.join(NAMED)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    told = parser.parse_args()
    if unknown := set(told.targets) - NAMED.keys():
        parser.error(f"there is no target {min(unknown)!r}")
    failed = [name for name in told.targets or NAMED if not _fuzzed(name, told.seconds)]
    print(f"failed: {', '.join(failed)}; what did it is in {ROOT}" if failed else "nothing found")
    return len(failed)


def _fuzzed(name: str, seconds: int) -> bool:
    corpus = ROOT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[NAMED[name]]):
        (corpus / f"seed-{number}").write_bytes(seed)
    print(f"{name}: {seconds} s", flush=True)
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"]
    quiet = ["-verbosity=0", f"-artifact_prefix={ROOT}/{name}-"]
    command = [sys.executable, "-m", "tests.fuzz", *limits, *quiet, str(corpus)]
    return subprocess.run(command, env={**os.environ, "FUZZ_TARGET": name}, check=False).returncode == 0


if __name__ == "__main__":
    if target := os.environ.get("FUZZ_TARGET"):
        atheris.Setup(sys.argv, NAMED[target])
        atheris.Fuzz()
    else:
        sys.exit(main())
