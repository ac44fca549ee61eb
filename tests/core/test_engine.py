"""How much an engine takes in, when it wakes, who may ask it. Any order of events: test_engine_properties."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.batcher import Batch
from bridge.core.outcome import Accepted, Denied, Outcome, Rejected, Throttled
from tests.core.batches import BAD, DOWN, one, taken
from tests.core.records import decoded, engine, limits, noise, run_of
from tests.switching import threads_taking_turns_often

OUTCOMES: tuple[Outcome, ...] = (
    Accepted(),
    Throttled(429),
    Throttled(429, 7.0),
    DOWN,
    BAD,
    Rejected(404, "unknown app", whole=True),
    Denied(401, "no"),
)


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


def test_little_room_is_not_worth_reading_on_for() -> None:
    made = engine(limits(40, max_outstanding_records=32))
    made.receive(run_of(30), 0.0)
    assert not made.crowded  # with two of 32
    made.receive(run_of(1, start=30), 0.0)
    assert (made.room, made.crowded) == (1, True)


def test_a_partition_that_may_have_one_batch_has_no_little_room() -> None:
    made = engine(limits(1, max_outstanding_records=32, partitions_apart=True))
    assert (made.room, made.crowded) == (1, False)


def test_open_batches_that_leave_no_room_go_before_their_time_and_the_fullest_first() -> None:
    made = engine(limits(10, max_outstanding_records=16))
    made.receive(run_of(5, "a"), 0.0)
    made.receive(run_of(8, "b", start=5), 0.0)
    assert taken(made) == []
    made.receive(run_of(3, "c", start=13), 0.0)
    assert [(batch.app, len(batch)) for batch in taken(made)] == [("b", 8), ("a", 5)]


def test_a_parked_app_keeps_no_other_from_going_before_its_time() -> None:
    made = engine(limits(10, max_outstanding_records=16))
    made.park("b")
    made.receive(run_of(5, "a"), 0.0)
    made.receive(run_of(8, "b", start=5), 0.0)
    made.receive(run_of(3, "c", start=13), 0.0)
    assert [batch.app for batch in taken(made)] == ["a", "c"]


def test_what_waits_for_the_api_is_no_reason_to_send_other_apps_small_batches() -> None:
    made = engine(limits(10, max_outstanding_records=16))
    made.receive(run_of(10, "a"), 0.0)
    made.returned(one(made), DOWN, 0.0)
    made.receive(run_of(6, "b", start=10), 0.0)
    assert made.crowded
    assert taken(made) == []


def test_an_app_that_waits_after_a_failure_is_not_sent_before_its_time() -> None:
    made = engine(limits(10, max_outstanding_records=32))
    made.receive(run_of(10, "a"), 0.0)
    made.returned(one(made), DOWN, 0.0)
    made.receive(run_of(9, "a", start=10), 0.0)
    made.receive(run_of(7, "b", start=19), 0.0)
    made.receive(run_of(6, "c", start=26), 0.0)
    assert [batch.app for batch in taken(made)] == ["b"]


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
