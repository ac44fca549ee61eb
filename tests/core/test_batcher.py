from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.batcher import Batch, Batcher, BatchLimits
from bridge.core.books import Books
from bridge.core.offsets import Offsets
from bridge.core.record import Decoded, Deletion
from bridge.core.stream import Deletions, Operation, SinkStream
from tests.core.batches import ids
from tests.core.records import STREAM, At, Thing, decoded, run_of

ORDERED = replace(
    STREAM, ordered=True, deletions=Deletions(Operation.DELETE_USERS, Thing, Operation.GET_USERS)
)


class Bench:
    """A batcher, and the ledger and books that it writes."""

    def __init__(
        self,
        max_records: int = 1000,
        max_bytes: int = 10**6,
        max_age: float = 5.0,
        stream: SinkStream = STREAM,
        topic: str = "things",
    ) -> None:
        self.offsets = Offsets()
        self.offsets.assign(range(4))
        self.books = Books()
        limits = BatchLimits(max_records, max_bytes, max_age)
        self.batcher = Batcher(limits, stream, topic, self.offsets, self.books)

    def add(self, records: Decoded, now: float = 0.0) -> list[Batch]:
        return self.batcher.add(records, now)


def test_closes_by_count() -> None:
    bench = Bench(max_records=3)
    assert [ids(batch) for batch in bench.add(run_of(7))] == [[0, 1, 2], [3, 4, 5]]
    assert [ids(batch) for batch in bench.batcher.close_all()] == [[6]]


def test_closes_before_its_bytes_would_exceed_the_limit() -> None:
    """Records have ten bytes: two fit into 29, three into 30."""
    assert [len(batch) for batch in Bench(max_bytes=29).add(run_of(5))] == [2, 2]
    assert [len(batch) for batch in Bench(max_bytes=30).add(run_of(7))] == [3, 3]


def test_a_record_larger_than_the_limit_goes_alone() -> None:
    bench = Bench(max_bytes=25)
    records = run_of(3)
    records.sizes[1] = 1000
    assert [ids(batch) for batch in bench.add(records)] == [[0], [1]]
    assert [ids(batch) for batch in bench.batcher.close_all()] == [[2]]


def test_its_age_counts_from_its_first_record() -> None:
    bench = Bench(max_age=5.0)
    bench.add(run_of(1), now=100.0)
    bench.add(run_of(1, start=1), now=104.0)
    assert bench.batcher.next_close() == 105.0
    assert bench.batcher.close_aged(104.9) == []
    [batch] = bench.batcher.close_aged(105.0)
    assert ids(batch) == [0, 1]
    assert bench.batcher.next_close() is None


def test_each_app_has_its_own_age() -> None:
    bench = Bench(max_age=5.0)
    bench.add(run_of(1, "a"), now=0.0)
    bench.add(run_of(1, "b", start=1), now=1.0)
    bench.add(run_of(1, "c", start=2), now=2.0)
    assert [batch.app for batch in bench.batcher.close_aged(6.0)] == ["a", "b"]
    assert bench.batcher.next_close() == 7.0


def test_a_batch_that_closed_by_count_gives_its_successor_a_new_age() -> None:
    bench = Bench(max_records=2, max_age=5.0)
    bench.add(run_of(1), now=0.0)
    bench.add(run_of(2, start=1), now=4.0)
    assert bench.batcher.next_close() == 9.0


def test_a_batch_has_one_app_and_may_have_many_partitions() -> None:
    bench = Bench()
    bench.add(decoded((0, 0, "a", 1), (1, 0, "b", 2), (1, 1, "a", 3), (2, 5, "a", 4)))
    bench.add(decoded((3, 0, "a", 5)))
    batches = {batch.app: batch for batch in bench.batcher.close_all()}
    assert ids(batches["a"]) == [1, 3, 4, 5]
    assert set(batches["a"].hold.parts) == {0, 1, 2, 3}
    assert ids(batches["b"]) == [2]


def test_identical_records_are_sent_once_and_counted() -> None:
    bench = Bench()
    bench.add(decoded((0, 0, "a", 7), (0, 1, "a", 7), (0, 2, "a", 8), (1, 0, "a", 7)))
    [batch] = bench.batcher.close_all()
    assert ids(batch) == [7, 8]
    assert batch.origins[0] == At((0, 0))  # the first stands for all
    assert bench.books.superseded == 2
    assert bench.offsets.outstanding == batch.hold.count == 2


def test_the_same_record_for_two_apps_is_two_records() -> None:
    bench = Bench()
    bench.add(decoded((0, 0, "a", 7), (0, 1, "b", 7)))
    assert [ids(batch) for batch in bench.batcher.close_all()] == [[7], [7]]
    assert bench.books.superseded == 0


def test_of_an_ordered_stream_the_last_word_stands() -> None:
    bench = Bench(stream=ORDERED)
    bench.add(decoded((0, 0, "a", 7), (0, 1, "a", 8), (0, 2, "a", 7)))
    [batch] = bench.batcher.close_all()
    assert batch.origins == [At((0, 1)), At((0, 2))]
    assert bench.books.superseded == 1


def test_deletions_go_in_a_batch_of_their_own() -> None:
    bench = Bench(stream=ORDERED)
    records = run_of(4)
    records.docs[1], records.docs[3] = Deletion(id=1), Deletion(id=0)
    bench.add(records)
    there, gone = bench.batcher.close_all()
    assert (there.operation, ids(there)) == (STREAM.operation, [2])
    assert (gone.operation, ids(gone)) == (Operation.DELETE_USERS, [1, 0])
    assert there.id != gone.id
    assert bench.offsets.outstanding == there.hold.count + gone.hold.count == 3


def batch_id(records: Decoded, topic: str = "things") -> str:
    bench = Bench(topic=topic)
    bench.add(records)
    [batch] = bench.batcher.close_all()
    return batch.id


def test_the_same_records_give_the_same_batch_id_in_another_process() -> None:
    """Written out, as nothing random may get into it, and no version may change it unnoticed."""
    assert batch_id(run_of(10)) == "83c1bb55b5fc7a08c83b86b7088a2c0c"


@pytest.mark.parametrize(
    "other",
    [
        run_of(9),
        run_of(10, start=1),
        run_of(10, partition=1),
        decoded(*((n % 2, n, "a", n) for n in range(10))),
    ],
    ids=["fewer", "later", "another partition", "two partitions"],
)
def test_other_records_give_another_batch_id(other: Decoded) -> None:
    assert batch_id(other) != batch_id(run_of(10))


def test_the_same_offsets_of_another_topic_give_another_batch_id() -> None:
    assert batch_id(run_of(10), "others") != batch_id(run_of(10), "things")


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.integers(0, 50)), max_size=60),
    st.integers(1, 8),
    st.integers(1, 100),
)
def test_whatever_comes_no_batch_passes_a_limit_and_nothing_is_lost(
    records: list[tuple[str, int, int]], max_records: int, max_bytes: int
) -> None:
    bench = Bench(max_records, max_bytes)
    columns = decoded(*((n % 2, n, app, key) for n, (app, key, _) in enumerate(records)))
    columns.sizes = [size for *_, size in records]
    batches = bench.add(columns)
    open_bytes = bench.batcher.bytes
    still_open = bench.batcher.close_all()
    assert open_bytes >= sum(batch.bytes for batch in still_open)
    assert bench.batcher.bytes == 0
    batches += still_open
    for batch in batches:
        assert 1 <= len(batch) <= max_records
        assert batch.bytes <= max_bytes or len(batch) == 1
        assert len(set(ids(batch))) == len(batch) == batch.hold.count
        for partition in (0, 1):
            offsets = [at.offset() for at in batch.origins if at.partition() == partition]
            assert all((a or 0) < (b or 0) for a, b in pairwise(offsets))
    sent = {(batch.app, key) for batch in batches for key in ids(batch)}
    assert sent == {(app, key) for app, key, _ in records}
    assert sum(map(len, batches)) + bench.books.superseded == len(records)
    assert bench.offsets.outstanding == sum(map(len, batches))
