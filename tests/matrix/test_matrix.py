"""The part of the matrix that every test run plays; `make matrix` plays all of it."""

from pathlib import Path

import pytest

from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster
from tests.matrix.answers import TABLE
from tests.matrix.cells import ALL, NEEDS_OWN_BROKER, Answer, Cell, Disturbance, Shape, chosen
from tests.matrix.disturb import DISTURB
from tests.matrix.run import APPS, run

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"


@pytest.mark.real_kafka
@pytest.mark.parametrize("cell", chosen(), ids=str)
def test_a_chosen_cell(cell: Cell, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    own = cell.disturbance in NEEDS_OWN_BROKER
    kafka: Cluster[Broker] = request.getfixturevalue("own_kafka" if own else "kafka")
    result = run(cell, kafka, tmp_path)
    assert not result.wrongs, result


def test_every_pair_is_among_the_cells_and_every_choice_is_among_the_chosen() -> None:
    pairs = {(cell.disturbance, cell.answer) for cell in ALL}
    assert pairs == {(disturbance, answer) for disturbance in Disturbance for answer in Answer}
    assert set(chosen()) <= set(ALL)
    for kind, name in ((Disturbance, "disturbance"), (Answer, "answer"), (Shape, "shape")):
        assert {getattr(cell, name) for cell in chosen()} == set(kind)


def test_every_choice_is_made_of_something() -> None:
    assert set(TABLE) == set(Answer)
    assert set(DISTURB) == set(Disturbance)
    assert set(APPS) == set(Shape)


@pytest.mark.docs_agree
def test_the_document_has_a_line_for_each_cell() -> None:
    text = DOCUMENT.read_text()
    for disturbance in Disturbance:
        section = text.partition(f"\n## {disturbance}\n")[2].partition("\n## ")[0]
        lines = [line.split(" | ")[:2] for line in section.splitlines() if line.startswith("| ")][2:]
        owed = [[f"| {c.answer}", str(c.shape)] for c in ALL if c.disturbance is disturbance]
        assert sorted(lines) == sorted(owed), "run: make matrix"
