"""The part of the matrix that every test run plays; `make matrix` plays all of it."""

from pathlib import Path

import pytest

from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster
from tests.matrix.answers import TABLE
from tests.matrix.cells import ALL, NEEDS_OWN_BROKER, Answer, Cell, Disturbance, Shape, chosen
from tests.matrix.disturb import DISTURB
from tests.matrix.run import APPS, run


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
