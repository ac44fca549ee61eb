"""When an app is parked, what goes to the parking topic then, and when it goes straight again."""

from bridge.core.batcher import Batch
from bridge.core.engine import Engine
from bridge.core.flood_guard import FloodLimits
from bridge.core.outcome import Accepted, Denied, InDoubt, Outcome, Rejected, Throttled, Unavailable
from bridge.core.parking import NEAR_SECONDS, Parking
from tests.core.records import decoded, engine, limits, run_of

DOWN = Unavailable("down")
AFTER = 60.0


def parking() -> Engine:
    return engine(limits(max_records=1, park_after=AFTER))


def answer(made: Engine, app: str, outcome: Outcome, now: float) -> None:
    """Takes what may go now, which must be of this app, and answers it."""
    batch = made.take(now)
    assert batch is not None
    assert batch.app == app
    made.returned(batch, outcome, now)


def failing(made: Engine, start: float, seconds: float, others: bool = True) -> None:
    """App a fails each minute for so long; app b is delivered just before each, or not."""
    now, number = start, 1000
    made.receive(run_of(1, "a"), now)
    while now <= start + seconds:
        if others:
            number += 1
            made.receive(run_of(1, "b", number), now)
            batches = {batch.app: batch for _ in range(2) if (batch := made.take(now)) is not None}
            made.returned(batches["b"], Accepted(), now)
            made.returned(batches["a"], DOWN, now)
        else:
            answer(made, "a", DOWN, now)
        now += 60.0


def test_an_app_that_failed_for_long_while_others_were_delivered_is_parked() -> None:
    made = parking()
    failing(made, 0.0, AFTER - 1)
    assert made.parking.apps == []
    failing(parking_one := parking(), 0.0, AFTER)
    assert parking_one.parking.apps == ["a"]
    assert parking_one.waiting == {}
    assert parking_one.take(10_000.0) is None
    batch = parking_one.take_parked()
    assert batch is not None
    assert batch.app == "a"


def test_when_all_are_down_nobody_is_parked() -> None:
    made = parking()
    failing(made, 0.0, 10 * AFTER, others=False)
    assert made.parking.apps == []


def test_others_that_were_delivered_long_ago_do_not_count() -> None:
    made = Parking(AFTER)
    made.answered("b", 9.0)
    assert not made.failed("a", 0.0, 100.0, full=False)
    made.answered("b", 70.0)
    assert made.failed("a", 0.0, 100.0, full=False)


def test_others_that_fail_now_do_not_count() -> None:
    made = Parking(AFTER)
    made.answered("b", 99.0)
    assert not made.failed("b", 99.5, 99.5, full=False)
    assert not made.failed("a", 0.0, 100.0, full=False)


def test_its_own_answers_are_no_proof_that_others_are_well() -> None:
    made = Parking(AFTER)
    made.answered("a", 99.0)
    assert not made.failed("a", 0.0, 100.0, full=False)
    made.answered("b", 99.0)
    made.answered("a", 99.1)
    assert made.failed("a", 0.0, 100.0, full=False)


def test_when_waiting_records_fill_all_the_room_the_last_answers_to_others_count() -> None:
    """Nobody else can get one any more; those from before the first failure may be from before an outage."""
    made = Parking(AFTER)
    made.answered("b", 1.0)
    assert not made.failed("a", 2.0, 100.0, full=True)
    made.answered("b", 3.0)
    assert not made.failed("a", 2.0, 100.0, full=False)
    assert made.failed("a", 2.0, 100.0, full=True)


def test_without_a_limit_nobody_is_parked() -> None:
    made = Parking(None)
    made.answered("b", 100.0)
    assert not made.failed("a", 0.0, 100.0, full=True)


def test_a_good_answer_begins_the_time_anew() -> None:
    made = parking()
    failing(made, 0.0, AFTER - 1)
    answer(made, "a", Rejected(400, "bad"), 90.0)
    failing(made, 100.0, AFTER - 1)
    assert made.parking.apps == []


def test_every_kind_of_failure_counts() -> None:
    for outcome in (DOWN, Throttled(429), InDoubt("lost"), Denied(403, "no")):
        made = parking()
        made.receive(decoded((0, 0, "a", 1), (0, 1, "b", 2)), 0.0)
        answer(made, "a", outcome, 0.0)
        answer(made, "b", Accepted(), 80.0)
        answer(made, "a", outcome, 100.0)
        assert made.parking.apps == ["a"], outcome
        assert not made.denied


def test_what_is_under_way_when_an_app_is_parked_goes_first() -> None:
    made = engine(limits(max_records=1, in_flight_per_lane=1, park_after=AFTER))
    made.receive(run_of(2), 0.0)
    first = made.take(0.0)
    assert first is not None
    made.park("a")
    assert made.take_parked() is None
    made.returned(first, DOWN, 1.0)
    assert made.wake_at() is None, "nothing is to be sent again"
    assert made.take_parked() is first
    assert made.take_parked() is None, "one at a time, or they might be written in another order"
    made.parked(first, {0: 0}, 2.0)
    second = made.take_parked()
    assert second is not None
    assert second.docs == [{"id": 1}]


def test_parked_records_are_settled_and_in_the_books_once_they_are_written() -> None:
    made = engine(limits(max_records=2))
    made.receive(run_of(2), 0.0)
    made.park("a")
    batch = made.take_parked()
    assert batch is not None
    assert made.offsets.to_commit() == {0: 0}
    made.parked(batch, {0: 1}, 0.0)
    assert made.offsets.to_commit() == {0: 2}
    assert (made.books.parked, made.offsets.outstanding, made.books.balance(0)) == (2, 0, True)


def put(made: Parking, offset: int, now: float) -> None:
    made.writing("a")
    made.written("a", {3: offset}, now)


def test_it_goes_straight_again_when_all_is_delivered() -> None:
    made = Parking(AFTER)
    made.park("a")
    put(made, 7, 0.0)
    assert made.delivered({3: 7}, 1.0) == []
    assert made.delivered({3: 8}, 2.0) == ["a"]
    assert made.back("a")
    assert made.apps == []


def test_not_while_a_batch_is_on_its_way_to_the_parking_topic() -> None:
    made = Parking(AFTER)
    made.park("a")
    put(made, 7, 0.0)
    made.writing("a")
    assert made.delivered({3: 8}, 2.0) == []
    made.written("a", {3: 8}, 2.0)
    assert made.delivered({3: 8}, 3.0) == []
    assert made.delivered({3: 9}, 4.0) == ["a"]


def test_what_an_earlier_owner_parked_counts_also_when_it_comes_in_between() -> None:
    made = Parking(AFTER)
    made.park("a", {3: 7})
    assert made.delivered({}, 0.0) == []
    assert made.delivered({3: 8}, 0.0) == ["a"]
    made.park("a", {5: 1})
    assert not made.back("a")
    assert made.delivered({3: 8}, 1.0) == []
    assert made.delivered({3: 8, 5: 2}, 1.0) == ["a"]


def test_under_steady_traffic_new_records_wait_once_only_recent_ones_are_left() -> None:
    made = Parking(AFTER)
    made.park("a")
    for second in range(100):
        put(made, second, float(second))
    made.delivered({3: 80}, 100.0)
    assert made.open("a"), "some that were parked 20 s ago are not delivered yet"
    made.delivered({3: 95}, 100.0)
    assert not made.open("a")
    assert made.delivered({3: 100}, 103.0) == ["a"]


def test_they_wait_no_longer_than_that_and_never_where_they_fill_all_the_room() -> None:
    made = Parking(AFTER)
    made.park("a")
    put(made, 0, 0.0)
    put(made, 1, 5.0)
    made.delivered({3: 1}, 6.0)
    assert not made.open("a")
    made.make_room()
    assert made.open("a")
    made.delivered({3: 1}, 7.0)
    assert not made.open("a")
    made.delivered({3: 1}, 7.0 + NEAR_SECONDS)
    assert made.open("a")
    made.delivered({3: 1}, 8.0 + NEAR_SECONDS)
    assert made.open("a"), "it failed again, so all of it must be delivered first"


def test_an_hour_without_one_app_costs_the_others_nothing() -> None:
    """Ten records a second of each of four apps; there is room for a minute of them."""
    made = engine(limits(max_records=100, max_outstanding_records=2400, park_after=AFTER))
    most, delivered, parked, offset, late = 0, 0, 0, 0, 0
    for second in range(3600):
        now = float(second)
        count = min(40, made.room)
        made.receive(decoded(*((0, offset + n, "abcd"[n % 4], offset + n) for n in range(count))), now)
        offset += count
        while (batch := made.take(now)) is not None:
            down = batch.app == "a"
            delivered += 0 if down else len(batch)
            late = max(late, 0 if down else second - _second(batch))
            made.returned(batch, DOWN if down else Accepted(), now)
        while (batch := made.take_parked()) is not None:
            parked += len(batch)
            made.parked(batch, {0: parked}, now)
        if second > 2 * AFTER:
            most = max(most, made.offsets.outstanding)
    assert offset == 40 * 3600, "reading never had to wait"
    assert late <= 10, "seconds until the others were delivered"
    assert most <= 400, "ten seconds of all: what is in open batches"
    assert made.parking.apps == ["a"]
    assert made.books.parked == parked >= 35_000
    assert made.books.balance(made.offsets.outstanding)


def test_with_partitions_apart_one_rests_as_soon_as_a_full_batch_of_it_is_outstanding() -> None:
    made = engine(limits(max_records=2, partitions_apart=True), partitions=(0, 1))
    assert made.room == 2
    made.receive(decoded((0, 0, "a", 1), (1, 0, "b", 2)), 0.0)
    assert made.resting == set()
    made.receive(decoded((0, 1, "a", 3)), 0.0)
    assert made.resting == {0}
    batch = made.take(0.0)
    assert batch is not None
    assert made.resting == {0}, "under way is outstanding too"
    made.returned(batch, Accepted(), 0.0)
    assert made.resting == set()
    assert engine(limits(max_records=2)).room > 2


def _second(batch: Batch) -> int:
    return (batch.origins[0].offset() or 0) // 40


def test_a_stopped_stream_parks_nothing_and_a_resume_parks_what_was_withheld() -> None:
    """The API refuses a batch of an app that was parked meanwhile: it goes before what came later."""
    made = engine(limits(max_records=1, park_after=AFTER, flood=FloodLimits(1, None, 1)))
    made.receive(run_of(2, "a"), 0.0)
    refused = made.take(0.0)
    assert refused is not None
    made.park("a")
    assert made.returned(refused, Rejected(404, "unknown app", whole=True), 0.0) is None
    assert made.tripped
    assert made.take(1_000.0) is made.take_parked() is None
    assert made.resume() == []
    gone = []
    while (batch := made.take_parked()) is not None:
        gone += [origin.offset() for origin in batch.origins]
        made.parked(batch, {0: len(gone)}, 0.0)
    assert gone == [0, 1]
    assert made.take(1_000.0) is None
    assert (made.books.parked, made.books.balance(0)) == (2, True)
