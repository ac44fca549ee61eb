"""The books follow each record into one column, and balance."""

import pytest

from bridge.core.books import Books
from bridge.core.outcome import Accepted
from tests.core.records import decoded, engine, limits


def test_books_follow_each_record_into_one_column() -> None:
    made = engine(limits(2), partitions=(0, 1))
    mixed = decoded((0, 0, "a", 1), (0, 1, "a", 1), (0, 3, "b", 2), (1, 0, "b", 3), refused=((0, 2),))
    bury = made.receive(mixed, 0.0)
    made.close_open()
    a, b = made.take(0.0), made.take(0.0)
    assert bury is not None
    assert a is not None
    assert b is not None
    assert made.books == Books(received=5, superseded=1)
    assert made.books.balance(made.offsets.outstanding)
    made.returned(a, Accepted(), 0.0)
    made.buried(bury)
    assert made.give_up([1]) == 1
    made.returned(b, Accepted(), 0.0)
    assert made.books == Books(
        received=5, delivered=2, dead_lettered=1, superseded=1, handed_over=1, batches=2
    )
    assert made.books.balance(made.offsets.outstanding)
    assert made.offsets.to_commit() == {0: 4}


def test_after_each_event_it_shows_the_books_as_they_are() -> None:
    made = engine(limits(2, max_age=5.0))

    def shows_all() -> bool:
        return made.shown == (made.books, made.offsets.outstanding)

    bury = made.receive(decoded((0, 0, "a", 1), (0, 1, "b", 2), refused=((0, 2),)), 0.0)
    assert bury is not None
    assert shows_all()
    made.buried(bury)
    assert shows_all()
    made.close_open()
    assert shows_all()
    made.receive(decoded((0, 3, "c", 3), (0, 4, "d", 4)), 0.0)
    batch = made.take(5.0)
    assert batch is not None
    made.returned(batch, Accepted(), 5.0)
    assert shows_all()
    made.give_up([0])
    assert shows_all()
    shown, _ = made.shown
    assert shown is not made.books


@pytest.mark.parametrize("by_age", [True, False])
def test_repeats_found_when_a_batch_closes_are_shown(by_age: bool) -> None:
    made = engine(limits(3, max_age=5.0))
    made.receive(decoded((0, 0, "a", 1), (0, 1, "a", 1)), 0.0)
    if by_age:
        made.take(5.0)
    else:
        made.close_open()
    assert made.shown == (Books(received=2, superseded=1), 1)


@pytest.mark.parametrize(
    "column",
    [
        "received",
        "delivered",
        "dead_lettered",
        "superseded",
        "handed_over",
        "in_doubt",
        "settled_before",
        "parked",
    ],
)
def test_a_record_missing_in_any_column_shows(column: str) -> None:
    books = Books(
        received=30,
        delivered=5,
        dead_lettered=4,
        superseded=3,
        handed_over=2,
        in_doubt=6,
        settled_before=3,
        parked=7,
        batches=99,
    )
    assert books.balance(0)
    setattr(books, column, getattr(books, column) + 1)
    assert not books.balance(0)


def test_outstanding_records_are_in_the_balance() -> None:
    assert Books(received=3, delivered=1).balance(2)
    assert not Books(received=3, delivered=1).balance(1)
