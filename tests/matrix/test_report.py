"""The document of the matrix: a line for each cell, and the figures of the last soak."""

from tests.matrix.cells import ALL, Disturbance
from tests.matrix.report import EVERYTHING, RECORDS, markdown, with_soak
from tests.matrix.result import Result

SOAK = """\
# Soak

<!-- Written by something. -->

For 30 minutes everything was disturbed. Nothing was wrong.

And so it went.

| | |
| --- | ---: |
| lost | 0 |
| records | {records} |

## Memory

![Memory](images/soak/memory.svg)

| minute | MiB |
"""


def test_a_cell_has_one_line_however_often_it_was_played() -> None:
    results = [
        Result(cell, records=RECORDS, twice=2, recovered_in=seconds, wrongs=wrongs)
        for seconds, wrongs in ((1.5, []), (3.0, ["late"]))
        for cell in ALL
    ]
    text = markdown(results, 60.0, 4)
    assert f"{len(ALL)} cells, each played twice" in text
    lines = [line for line in text.splitlines() if line.endswith("| wrong: late |")]
    assert len(lines) == len(ALL)
    played = f"| {2 * RECORDS} | 2 | 0 | 0 | 4 | 0 | 0 | 0 | 3.0 |"
    disturbed = [cell for cell in ALL if cell.disturbance is not Disturbance.NONE]
    assert sum(played in line for line in lines) == len(disturbed)


def test_the_soak_is_told_of_once_and_by_its_last_run() -> None:
    document = "# Reliability\n\n## SIGKILL\n\n| a | b |\n"
    once = with_soak(document, SOAK.format(records=1))
    assert once.startswith(document)
    assert "For 30 minutes everything was disturbed. Nothing was wrong. More about it" in once
    assert "| lost | 0 |\n| records | 1 |\n\n![Memory](images/soak/memory.svg)\n" in once
    assert with_soak(once, SOAK.format(records=2)) == once.replace("| records | 1 |", "| records | 2 |")
    assert once.count(EVERYTHING) == 1
