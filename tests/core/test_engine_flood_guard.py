"""What an engine counts as refused, how it stops, and what becomes of what it then holds."""

from bridge.core.books import Books
from bridge.core.engine import Engine
from bridge.core.flood_guard import FloodLimits, Limit, Trip
from bridge.core.outcome import Accepted, Rejected
from tests.core.batches import BAD, DOWN
from tests.core.records import decoded, engine, limits, noise, run_of


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
