"""What batches, lanes, ledger, books and guards are together. Any order of events: test_engine_properties."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.batcher import Batch
from bridge.core.books import Books
from bridge.core.engine import Engine
from bridge.core.flood_guard import FloodLimits, Limit, Trip
from bridge.core.outcome import Accepted, Denied, Outcome, Rejected, Throttled, Unavailable
from bridge.core.record import Decoded
from tests.core.records import decoded, engine, limits, run_of
from tests.switching import threads_taking_turns_often

DOWN = Unavailable("connection refused")
BAD = Rejected(400, "bad request")


def noise(count: int, start: int = 0) -> Decoded:
    """So many records that do not decode."""
    return decoded(refused=tuple((0, start + n) for n in range(count)))


# -- books ---------------------------------------------------------------------------------------------------


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


# -- room ----------------------------------------------------------------------------------------------------


def test_room_ends_at_the_records_outstanding() -> None:
    made = engine(limits(2, max_outstanding_records=5))
    assert made.room == 5
    made.receive(run_of(3), 0.0)
    bury = made.receive(noise(1, start=3), 0.0)
    assert made.room == 1
    made.receive(run_of(4, start=4), 0.0)  # more than asked for is taken in, and nothing after it
    assert made.room == 0
    batch = made.take(0.0)
    assert batch is not None
    assert bury is not None
    made.buried(bury)
    made.returned(batch, Accepted(), 0.0)
    assert made.room == 0
    while (batch := made.take(10.0)) is not None:
        made.returned(batch, Accepted(), 10.0)
    assert made.room == 5


def test_room_ends_at_the_bytes_outstanding_wherever_they_are() -> None:
    """Records have ten bytes: they count in open batches, queued, in flight, and until they are buried."""
    made = engine(limits(2, max_outstanding_bytes=20))
    made.receive(run_of(1), 0.0)
    assert made.room > 0
    made.receive(run_of(1, start=1), 0.0)
    assert made.room == 0
    batch = made.take(0.0)
    assert batch is not None
    assert made.room == 0
    bury = made.returned(batch, Rejected(404, "unknown app", whole=True), 0.0)
    assert bury is not None
    assert made.room == 0
    made.buried(bury)
    assert made.room > 0


def test_noise_that_the_dead_letter_topic_does_not_take_fills_the_room() -> None:
    made = engine(limits(max_outstanding_bytes=30))
    bury = made.receive(noise(3), 0.0)
    assert bury is not None
    assert made.room == 0
    made.buried(bury)
    assert made.room > 0


OUTCOMES: tuple[Outcome, ...] = (
    Accepted(),
    Throttled(429),
    Throttled(429, 7.0),
    DOWN,
    BAD,
    Rejected(404, "unknown app", whole=True),
    Denied(401, "no"),
)


@given(st.data())
def test_bytes_go_back_to_nothing_when_all_is_settled(data: st.DataObject) -> None:
    """Told by room: with one byte allowed there is room exactly when no byte is left."""
    made = engine(limits(4, in_flight=3, in_flight_per_lane=2, max_outstanding_bytes=1))
    records = data.draw(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=30))
    columns = decoded(*((0, 2 * n, app, key) for n, (app, key) in enumerate(records)))
    columns.sizes = [data.draw(st.integers(1, 99)) for _ in records]
    buries = [made.receive(columns, 0.0), made.receive(noise(3, start=1000), 0.0)]
    made.close_open()
    if data.draw(st.booleans()) and records:
        buries.append(made.receive(run_of(1, start=2000), 0.0))
        made.give_up(data.draw(st.sampled_from(([], [0]))))
    now = 0.0
    while made.offsets.outstanding or made.in_flight:
        assert made.room == 0
        now += 60.0
        while (batch := made.take(now)) is not None:
            # The worst answers run out, so that all gets settled.
            outcome = data.draw(st.sampled_from(OUTCOMES)) if now < 600 else Accepted()
            buries.append(made.returned(batch, outcome, now))
        while buries:
            if (bury := buries.pop()) is not None:
                made.buried(bury)
    for left in buries:
        if left is not None:
            made.buried(left)
    assert made.room > 0
    assert made.books.balance(0)


# -- flood guard ---------------------------------------------------------------------------------------------


def guarded(consecutive: int, size: int = 1) -> Engine:
    return engine(limits(size, flood=FloodLimits(consecutive=consecutive, share=None, window=1)))


def stopped(made: Engine) -> bool:
    """Whether it takes nothing in, sends nothing, and waits for nothing."""
    return made.tripped is not None and made.room == 0 and made.take(1e9) is None and made.wake_at() is None


def test_noise_stops_the_stream_and_is_not_poured_into_the_dead_letters() -> None:
    made = guarded(consecutive=10)
    assert made.admits(noise(9))
    bury = made.receive(noise(9), 0.0)
    assert bury is not None
    made.buried(bury)
    assert not made.admits(noise(1, start=9))
    assert made.tripped == Trip(Limit.CONSECUTIVE, "10 records in a row were refused (limit 10)")
    assert stopped(made)
    assert not made.admits(run_of(1, start=10))
    assert made.books == Books(received=9, dead_lettered=9)
    assert made.offsets.to_commit() == {0: 9}


def test_what_is_stopped_before_it_has_received_anything_knows_how_far_it_is_behind() -> None:
    made = guarded(consecutive=3)
    assert not made.admits(decoded(refused=((0, 8), (0, 5), (0, 6))))
    assert made.offsets.behind({0: 100}) == {0: 95}
    assert made.offsets.to_commit() == {0: 5}
    assert not made.admits(decoded(refused=((0, 8), (0, 5), (0, 6))))
    assert made.offsets.behind({0: 100}) == {0: 95}


def test_rejections_stop_the_stream_with_batches_queued_and_open() -> None:
    made = guarded(consecutive=3, size=2)
    made.receive(run_of(9), 0.0)
    buries = []
    while (batch := made.take(0.0)) is not None:
        buries.append(made.returned(batch, BAD, 0.0))
    assert sum(bury is not None for bury in buries) == 2
    assert stopped(made)
    assert made.offsets.outstanding == 9
    assert made.books.balance(9)


def test_what_is_in_flight_when_it_stops_is_settled() -> None:
    made = guarded(consecutive=1)
    made.receive(run_of(2), 0.0)
    first, second = made.take(0.0), made.take(0.0)
    assert first is not None
    assert second is not None
    assert made.returned(second, BAD, 0.0) is None
    made.returned(first, Accepted(), 0.0)
    assert made.books.delivered == 1
    assert made.offsets.to_commit() == {0: 1}


def test_good_records_of_the_same_poll_or_batch_keep_it_running() -> None:
    made = guarded(consecutive=3, size=1)
    for n in range(5):
        assert made.admits(decoded((0, 10 * n, "a", n), refused=((0, 10 * n + 1), (0, 10 * n + 2))))
    assert made.tripped is None


def test_records_that_the_api_accepts_between_rejections_keep_it_running() -> None:
    made = guarded(consecutive=3)
    made.receive(run_of(30), 0.0)
    for n in range(30):
        batch = made.take(0.0)
        assert batch is not None
        made.returned(batch, Accepted() if n % 3 == 0 else BAD, 0.0)
    assert made.tripped is None


def test_an_outage_does_not_make_noise_look_alone() -> None:
    """Good records are received and noise now and then, while nothing can be sent: no reason to stop."""
    made = guarded(consecutive=3)
    for n in range(10):
        polled = decoded((0, 2 * n, "a", n), refused=((0, 2 * n + 1),))
        assert made.admits(polled)
        made.receive(polled, 0.0)
        while (batch := made.take(0.0)) is not None:
            made.returned(batch, DOWN, 0.0)
    assert made.tripped is None


def test_records_of_partitions_given_up_do_not_count_as_good() -> None:
    made = engine(limits(10, flood=FloodLimits(consecutive=None, share=0.5, window=4)), partitions=(0, 1))
    made.receive(run_of(10, partition=1), 0.0)
    batch = made.take(0.0)
    assert batch is not None
    made.give_up([1])
    made.returned(batch, Accepted(), 0.0)
    made.receive(run_of(10), 0.0)
    batch = made.take(0.0)
    assert batch is not None
    made.returned(batch, Rejected(404, "unknown app", whole=True), 0.0)
    assert made.tripped is not None


def test_after_a_resume_it_counts_anew_and_admits_what_it_did_not() -> None:
    made = guarded(consecutive=10)
    assert made.admits(noise(9))
    made.receive(noise(9), 0.0)
    assert not made.admits(noise(1, start=9))
    assert made.resume() == []
    assert made.tripped is None
    assert made.room > 0
    assert made.admits(noise(9, start=9))
    assert not made.admits(noise(1, start=18))


def test_what_the_api_refused_goes_again_before_the_rest_of_its_lane() -> None:
    made = guarded(consecutive=2, size=2)
    made.receive(run_of(6), 0.0)
    refused = made.take(0.0)
    assert refused is not None
    assert made.returned(refused, Rejected(404, "unknown app", whole=True), 0.0) is None
    assert stopped(made)
    assert made.resume() == []
    for n in range(3):
        batch = made.take(1.0)
        assert batch is not None
        assert [doc["id"] for doc in batch.docs] == [2 * n, 2 * n + 1]
        made.returned(batch, Accepted(), 1.0)
    assert made.books == Books(received=6, delivered=6, batches=3)
    assert made.offsets.to_commit() == {0: 6}


def test_several_refused_batches_go_again_in_their_order() -> None:
    made = guarded(consecutive=1)
    made.receive(run_of(3), 0.0)
    batches = [batch for _ in range(3) if (batch := made.take(0.0)) is not None]
    for batch in batches:
        assert made.returned(batch, BAD, 0.0) is None
    made.resume()
    again = [batch for _ in range(3) if (batch := made.take(0.0)) is not None]
    assert [batch.id for batch in again] == [batch.id for batch in batches]
    assert [batch.attempts for batch in again] == [2, 2, 2]


def test_what_was_given_up_since_does_not_go_again() -> None:
    made = engine(limits(4, flood=FloodLimits(consecutive=1, share=None, window=1)), partitions=(0, 1))
    made.receive(decoded((0, 0, "a", 0), (1, 0, "a", 1), (0, 1, "a", 2), (1, 1, "a", 3)), 0.0)
    batch = made.take(0.0)
    assert batch is not None
    made.returned(batch, Rejected(404, "unknown app", whole=True), 0.0)
    made.give_up([1])
    made.offsets.assign([1])
    made.resume()
    batch = made.take(0.0)
    assert batch is not None
    assert [doc["id"] for doc in batch.docs] == [0, 2]
    made.returned(batch, Accepted(), 0.0)
    assert made.books == Books(received=4, delivered=2, handed_over=2, batches=1)
    assert made.offsets.outstanding == 0


# -- waking --------------------------------------------------------------------------------------------------


@given(st.data())
def test_it_never_asks_to_be_woken_for_nothing(data: st.DataObject) -> None:
    """Once nothing may go, the next waking lies in the future, and it is not missed: then something goes."""
    made = engine(
        limits(
            max_records=3,
            max_age=5.0,
            in_flight=data.draw(st.integers(1, 4)),
            in_flight_per_lane=data.draw(st.integers(1, 3)),
        )
    )
    now, offset = 0.0, 0
    in_flight: list[Batch] = []
    for _ in range(data.draw(st.integers(1, 25))):
        step = data.draw(st.sampled_from(("receive", "return", "wake", "wait")))
        wake_at = made.wake_at()
        woken = False
        if step == "receive":
            count = data.draw(st.integers(1, 5))
            made.receive(run_of(count, data.draw(st.sampled_from("abc")), start=offset), now)
            offset += count
        elif step == "return" and in_flight:
            returned = in_flight.pop(data.draw(st.integers(0, len(in_flight) - 1)))
            if (bury := made.returned(returned, data.draw(st.sampled_from(OUTCOMES)), now)) is not None:
                made.buried(bury)
        elif step == "wake" and wake_at is not None:
            now, woken = wake_at, True
        elif step == "wait":
            now += data.draw(st.floats(0, 3))
        before = made.wake_at()
        taken = []
        while (batch := made.take(now)) is not None:
            taken.append(batch)
        in_flight += taken
        after = made.wake_at()
        assert after is None or after > now
        if woken:
            assert taken or before != after, "it was woken, and nothing has changed"


def test_with_everything_asleep_it_is_woken_by_the_nearer_of_age_and_retry() -> None:
    made = engine(limits(1, max_age=5.0, in_flight_per_lane=1))
    assert made.wake_at() is None
    made.receive(run_of(1), 0.0)
    batch = made.take(0.0)
    assert batch is not None
    made.returned(batch, Throttled(429, retry_after=9.0), 0.0)
    assert made.wake_at() == 9.0
    made_open = engine(limits(2, max_age=5.0))
    made_open.receive(run_of(1), 1.0)
    assert made_open.wake_at() == 6.0


# -- other threads -------------------------------------------------------------------------------------------


def test_health_and_metrics_may_ask_while_lanes_come_and_go() -> None:
    """They ask from threads of their own."""
    made = engine(limits(1, in_flight=1000))
    made.receive(decoded(*((0, n, f"app {n}", n) for n in range(200))), 0.0)
    errors: list[Exception] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                _ = made.waiting, made.denied, made.in_flight, made.offsets.partitions
        except Exception as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    with threads_taking_turns_often():
        asking.start()
        for n in range(200, 1500):
            batch = made.take(0.0)
            assert batch is not None
            made.returned(batch, Accepted(), 0.0)
            made.receive(decoded((0, n, f"app {n}", n)), 0.0)
        done.set()
        asking.join()
    assert errors == []
