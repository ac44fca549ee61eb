from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.offsets import Hold, Offsets
from tests.core.records import At


def ledger(*partitions: int) -> Offsets:
    offsets = Offsets()
    offsets.assign(partitions)
    return offsets


def held(offsets: Offsets, *places: tuple[int, int]) -> Hold:
    hold = Hold()
    offsets.add(hold, [At(place) for place in places])
    return hold


def test_commits_only_past_an_unbroken_run_of_settled_records() -> None:
    offsets = ledger(0)
    first, second, third = held(offsets, (0, 0)), held(offsets, (0, 1), (0, 2)), held(offsets, (0, 3))
    assert offsets.settle(second) == 2
    assert offsets.settle(third) == 1
    assert offsets.to_commit() == {0: 0}
    offsets.settle(first)
    assert offsets.to_commit() == {0: 4}
    assert offsets.outstanding == 0


def test_holes_in_the_offsets_are_normal() -> None:
    offsets = ledger(0)
    first, second = held(offsets, (0, 5), (0, 90)), held(offsets, (0, 1000))
    offsets.settle(first)
    assert offsets.to_commit() == {0: 1000}
    offsets.settle(second)
    assert offsets.to_commit() == {0: 1001}


def test_groups_may_interleave() -> None:
    """Two apps on one partition: each holds back what lies behind its own first record."""
    offsets = ledger(0)
    odd, even = held(offsets, (0, 1), (0, 3)), held(offsets, (0, 2), (0, 4))
    offsets.settle(odd)
    assert offsets.to_commit() == {0: 2}
    offsets.settle(even)
    assert offsets.to_commit() == {0: 5}


def test_nothing_received_nothing_to_commit() -> None:
    assert ledger(0, 1).to_commit() == {}


def read(offsets: Offsets, *places: tuple[int, int]) -> list[tuple[int, int]]:
    return [(o.partition() or 0, o.offset() or 0) for o in offsets.fresh([At(place) for place in places])]


def test_what_was_read_is_not_fresh_until_the_partition_comes_anew() -> None:
    offsets = ledger(0, 1)
    assert read(offsets, (0, 5), (1, 0), (0, 7), (2, 1)) == [(0, 5), (1, 0), (0, 7)]
    assert read(offsets, (0, 5), (0, 6), (0, 7), (0, 8), (1, 0)) == [(0, 8)]
    offsets.revoke([0])
    offsets.assign([0, 1])
    assert read(offsets, (0, 5), (1, 0)) == [(0, 5)]


def test_what_lies_before_the_beginning_was_not_read() -> None:
    """A partition that left and came back may be given from earlier on: that is to be delivered."""
    offsets = ledger(0)
    assert read(offsets, (0, 5), (0, 3), (0, 4), (0, 5), (0, 6)) == [(0, 5), (0, 3), (0, 4), (0, 6)]


def test_what_the_broker_has_is_not_sent_again() -> None:
    offsets = ledger(0)
    offsets.settle(held(offsets, (0, 0)))
    offsets.committed({0: 1})
    assert offsets.to_commit() == {}
    offsets.settle(held(offsets, (0, 1)))
    assert offsets.to_commit() == {0: 2}


def test_a_commit_that_is_answered_after_its_partition_went_is_of_no_interest() -> None:
    offsets = ledger(0)
    offsets.revoke([0])
    offsets.committed({0: 7})
    assert offsets.to_commit() == {}


def test_a_settled_hold_is_empty_and_settling_it_again_changes_nothing() -> None:
    offsets = ledger(0)
    hold = held(offsets, (0, 0))
    offsets.settle(hold)
    assert (hold.count, offsets.settle(hold), offsets.outstanding) == (0, 0, 0)


def test_a_partition_given_up_takes_its_records_along() -> None:
    offsets = ledger(0, 1)
    hold = held(offsets, (0, 0), (1, 0), (1, 1))
    assert offsets.revoke([1]) == 2
    assert (offsets.owns(1), offsets.partitions, hold.count, offsets.outstanding) == (False, {0}, 1, 1)
    assert offsets.settle(hold) == 1
    assert offsets.to_commit() == {0: 1}


def test_giving_up_what_is_not_ours_changes_nothing() -> None:
    assert ledger(0).revoke([1, 2]) == 0


def test_an_old_hold_says_nothing_about_a_partition_that_came_back() -> None:
    offsets = ledger(0)
    old = held(offsets, (0, 0), (0, 1))
    offsets.revoke([0])
    offsets.assign([0])
    again = held(offsets, (0, 0), (0, 1))
    offsets.settle(old)
    assert offsets.to_commit() == {0: 0}
    assert offsets.settle(again) == 2
    assert offsets.to_commit() == {0: 2}


def test_assigning_what_is_ours_already_forgets_nothing() -> None:
    offsets = ledger(0)
    held(offsets, (0, 3))
    offsets.assign([0, 1])
    assert offsets.outstanding_of([0]) == 1
    assert offsets.to_commit() == {0: 3}


def test_a_split_settles_what_is_in_no_part() -> None:
    offsets = ledger(0)
    hold = held(offsets, (0, 0), (0, 1), (0, 2))
    low, high = offsets.split(hold, [At((0, 0))], [At((0, 2))])
    assert (hold.count, low.count, high.count, offsets.outstanding) == (0, 1, 1, 2)
    offsets.settle(low)
    assert offsets.to_commit() == {0: 2}


def test_a_split_passes_over_partitions_given_up() -> None:
    offsets = ledger(0, 1)
    places = (0, 0), (1, 0)
    hold = held(offsets, *places)
    offsets.revoke([1])
    offsets.assign([1])
    [kept] = offsets.split(hold, [At(place) for place in places])
    assert (set(kept.parts), offsets.outstanding_of([1])) == ({0}, 0)


def test_a_split_does_not_take_the_position_back() -> None:
    offsets = ledger(0)
    hold = held(offsets, (0, 0), (0, 1))
    offsets.settle(held(offsets, (0, 2)))
    for part in offsets.split(hold, [At((0, 0))], [At((0, 1))]):
        offsets.settle(part)
    assert offsets.to_commit() == {0: 3}


@pytest.mark.parametrize(("settled", "behind"), [(False, 10), (True, 8)])
def test_the_lag_counts_from_what_is_settled(settled: bool, behind: int) -> None:
    offsets = ledger(0, 1)
    hold = held(offsets, (0, 0), (0, 1))
    if settled:
        offsets.settle(hold)
    assert offsets.behind({0: 10, 1: 99, 2: 99}) == {0: behind}


def test_an_end_told_long_ago_makes_no_negative_lag() -> None:
    offsets = ledger(0, 1)
    offsets.settle(held(offsets, (0, 50)))
    held(offsets, (1, 0))
    assert offsets.behind({0: 10, 1: 3}) == {0: 0, 1: 3}


@dataclass(frozen=True)
class Stamped(At):
    """A record whose Kafka timestamp, in seconds, is ten times its offset."""

    def timestamp(self) -> tuple[int, int]:
        return (1, self.offset() * 10_000)


def stamped(offsets: Offsets, *places: tuple[int, int]) -> Hold:
    hold = Hold()
    offsets.add(hold, [Stamped(place) for place in places])
    return hold


def test_the_lag_in_time_is_that_of_the_oldest_record_not_settled() -> None:
    offsets = ledger(0, 1)
    assert offsets.behind_since(0.0, drained=True) is None
    early, late, other = (
        stamped(offsets, (0, 2), (0, 9)), stamped(offsets, (0, 5)), stamped(offsets, (1, 4))
    )  # fmt: skip
    assert offsets.behind_since(100.0, drained=True) == 20
    offsets.settle(early)
    assert offsets.behind_since(100.0, drained=True) == 40
    offsets.settle(other)
    assert offsets.behind_since(100.0, drained=True) == 50
    offsets.settle(late)
    assert offsets.behind_since(100.0, drained=True) is None


def test_what_is_not_read_yet_is_as_old_as_the_last_record_read_or_the_last_rest() -> None:
    offsets = ledger(0)
    offsets.settle(stamped(offsets, (0, 7)))
    assert offsets.behind_since(100.0, drained=False) == 70
    assert offsets.behind_since(200.0, drained=True) is None
    assert offsets.behind_since(300.0, drained=False) == 200


def test_what_was_read_and_not_received_counts_from_its_own_time() -> None:
    offsets = ledger(0)
    offsets.begin([Stamped((0, 3))])
    assert offsets.behind_since(100.0, drained=False) == 30


def test_a_split_keeps_the_time_of_what_is_left() -> None:
    offsets = ledger(0)
    hold = stamped(offsets, (0, 1), (0, 2), (0, 3))
    offsets.split(hold, [Stamped((0, 2))], [Stamped((0, 3))])
    assert offsets.behind_since(100.0, drained=True) == 20


def test_tied_groups_are_as_old_as_the_first_of_them() -> None:
    offsets = ledger(0)
    first, second = stamped(offsets, (0, 1)), stamped(offsets, (0, 2))
    offsets.tie([second, first])
    offsets.settle(first)
    assert offsets.behind_since(100.0, drained=True) == 10


def test_a_record_without_a_time_tells_none() -> None:
    offsets = ledger(0)
    held(offsets, (0, 1))
    assert offsets.behind_since(100.0, drained=True) is None


@dataclass
class Model:
    """A ledger that remembers every record."""

    unsettled: dict[Hold, list[tuple[int, int]]] = field(default_factory=dict)
    position: dict[int, int] = field(default_factory=dict)

    def safe(self) -> dict[int, int]:
        held_back = [place for places in self.unsettled.values() for place in places]
        return {
            partition: min((o for p, o in held_back if p == partition), default=position)
            for partition, position in self.position.items()
        }


@settings(max_examples=60)
@given(st.data())
def test_agrees_with_a_ledger_that_remembers_every_record(data: st.DataObject) -> None:
    offsets, model = ledger(0, 1, 2), Model()
    for _ in range(data.draw(st.integers(1, 12))):
        if data.draw(st.booleans()) and model.unsettled:
            hold = data.draw(st.sampled_from(list(model.unsettled)))
            places = model.unsettled.pop(hold)
            if data.draw(st.booleans()):
                assert offsets.settle(hold) == len(places)
            else:
                cut = data.draw(st.integers(0, len(places)))
                groups = places[:cut], places[cut:]
                parts = offsets.split(hold, *([At(place) for place in group] for group in groups))
                model.unsettled.update(zip(parts, groups, strict=True))
        else:
            places = []
            for partition in data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=6)):
                offset = model.position.get(partition, 0) + data.draw(st.integers(0, 2))
                places.append((partition, offset))
                model.position[partition] = offset + 1
            model.unsettled[held(offsets, *places)] = places
        assert offsets.to_commit() == model.safe()
        assert offsets.outstanding == sum(map(len, model.unsettled.values()))
        assert offsets.outstanding == offsets.outstanding_of([0, 1, 2])
