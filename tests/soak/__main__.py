"""`make soak`: one long run with everything disturbed at random; writes docs/soak.md if it was long."""

import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.kafka_broker.broker import Absent
from tests.kafka_broker.choose import choose_own
from tests.kafka_broker.cluster import Cluster
from tests.soak import report
from tests.soak.run import run

DOCS = Path(__file__).parents[2] / "docs"
LONG = 1800.0
console = Console(stderr=True)


def main(
    seconds: Annotated[float, typer.Option(help="How long everything is disturbed.", min=10)] = LONG,
    seed: Annotated[int | None, typer.Option(help="Decides what happens, and to whom.")] = None,
    rate: Annotated[float, typer.Option(help="Records a second of each of the four streams.", min=1)] = 30,
    keep: Annotated[Path | None, typer.Option(help="Folder for the logs of bridges.")] = None,
    into: Annotated[Path | None, typer.Option(help="Folder for soak.md, also after a short run.")] = None,
) -> None:
    """Disturbs processes, group, broker and API at random; exit code 1 if anything was wrong in the end."""
    seed = secrets.randbelow(10**6) if seed is None else seed
    folder = keep or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    _say(f"seed {seed}; logs in {folder}")
    broker = choose_own(folder / "kafka")
    if isinstance(broker, Absent):
        sys.exit(str(broker))
    try:
        result = run(Cluster(broker), folder, seconds, rate, seed, _say)
    finally:
        broker.close()
    _say(report.summary(result))
    if into or seconds >= LONG:
        report.write(into or DOCS, result, rate)
    if not result.wrongs and keep is None:
        shutil.rmtree(folder)
    sys.exit(bool(result.wrongs))


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
