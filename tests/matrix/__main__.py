"""`make matrix`: plays cells, several at a time, and writes docs/reliability.md if it played all of them."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.matrix import report
from tests.matrix.cells import ALL
from tests.matrix.pool import played

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
SOAK = DOCUMENT.with_name("soak.md")
console = Console(stderr=True)


def main(
    only: Annotated[str, typer.Option(help="Only cells with this in their name.")] = "",
    repeat: Annotated[int, typer.Option(help="How often each cell is played.", min=1)] = 1,
    jobs: Annotated[int, typer.Option(help="Cells at a time, each with a broker.", min=1)] = 4,
    keep: Annotated[Path | None, typer.Option(help="Folder for the logs of bridges.")] = None,
) -> None:
    """Plays every disturbance with every answer in every shape; exit code 1 if anything was wrong."""
    cells = [cell for cell in ALL if only in str(cell)]
    began = time.monotonic()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for result in played(cells * repeat, jobs, keep or Path(folder)):
            results.append(result)
            verdict = f"WRONG {'; '.join(result.wrongs)}" if result.wrongs else "ok"
            line = f"{len(results)}/{len(cells) * repeat} {result.cell}: {verdict} ({result.took:.1f} s)"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    minutes = (time.monotonic() - began) / 60
    failed = [result for result in results if result.wrongs]
    console.print(f"{len(results)} cells in {minutes:.1f} min, {len(failed)} wrong", highlight=False)
    if cells == ALL:
        text = report.markdown(results, minutes, jobs)
        DOCUMENT.write_text(report.with_soak(text, SOAK.read_text()) if SOAK.exists() else text)
    sys.exit(bool(failed))


if __name__ == "__main__":
    typer.run(main)
