"""Money is never sent twice and never lost, at whatever step the process dies."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.journal import State
from tests.delivery.world import ACCEPT, DOWN, LOSE, LOSE_UNTAKEN, NO_SUCCESS, Process, Record, World

RECORDS = [
    Record((partition, 2 * n + partition), app="ab"[n % 2], bad=n == 4, noise=n == 6)
    for partition in (0, 1)
    for n in range(9)
]
SCRIPTS = {
    "all goes well": (),
    "answers are lost after acceptance": (ACCEPT, LOSE, ACCEPT, LOSE, LOSE),
    "requests are lost": (LOSE_UNTAKEN, ACCEPT, LOSE_UNTAKEN),
    "the API is down": (DOWN, ACCEPT, DOWN, DOWN),
    "success is not said": (ACCEPT, NO_SUCCESS),
}


def steps_of(script: tuple[str, ...]) -> int:
    """How many steps there are to die at."""
    world = World(RECORDS, script)
    assert Process(world).run()
    check(world)
    return world.steps


def check(world: World) -> None:
    """What must hold once everything is committed."""
    everything = {record.place for record in world.records}
    assert max(world.accepted.values(), default=0) <= 1, "a record was accepted twice"
    assert set(world.accepted) | set(world.dead) | set(world.parked) == everything, "a record was lost"
    assert not set(world.accepted) & set(world.dead), "a record was accepted and is a dead letter too"
    assert not world.open_records()


def balanced(process: Process) -> bool:
    return process.books.balance(process.engine.offsets.outstanding)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_crash_at_any_step_neither_repeats_nor_loses_a_record(script: tuple[str, ...]) -> None:
    for step in range(1, steps_of(script) + 1):
        world = World(RECORDS, script)
        Process(world).run(
            dies_at=step
        )  # which it may outlive: the order of its tasks is not always the same
        again = Process(world)
        assert again.run(), step
        check(world)
        assert balanced(again), step


def test_a_second_crash_while_the_first_is_mended_changes_nothing() -> None:
    script = SCRIPTS["answers are lost after acceptance"]
    for step in range(1, steps_of(script) + 1, 3):
        for second in range(1, 60, 2):
            world = World(RECORDS, script)
            Process(world).run(dies_at=step)
            if Process(world).run(dies_at=second):
                break
            assert Process(world).run(), (step, second)
            check(world)


def test_only_what_was_under_way_is_in_doubt() -> None:
    """A crash puts aside what was being sent, and nothing that had its answer or had not been sent."""
    for step in range(1, steps_of(()) + 1):
        world = World(RECORDS)
        Process(world).run(dies_at=step)
        under_way = world.open_records()
        committed = {p: world.committed.get(p, 0) for p in world.partitions}
        settled = {place for place in world.accepted if place not in under_way}
        again = Process(world)
        assert again.run()
        assert set(world.parked) == under_way, step
        expected = sum(offset >= committed[partition] for partition, offset in settled)
        assert again.books.settled_before >= expected, step


def test_an_outage_leaves_nothing_in_doubt() -> None:
    """What provably never left is sent again, also by the next process."""
    script = (DOWN,) * 6
    for step in range(1, steps_of(script) + 1):
        world = World(RECORDS, script)
        Process(world).run(dies_at=step)
        unclear = world.open_records()
        assert Process(world).run()
        assert set(world.parked) == unclear, step


def test_the_policy_to_resend_loses_nothing_and_uses_the_same_key() -> None:
    script = SCRIPTS["requests are lost"]
    world = World(RECORDS, script)
    assert Process(world, "resend").run()
    for step in range(1, world.steps + 1):
        world = World(RECORDS, script)
        Process(world, "resend").run(dies_at=step)
        under_way, batches, sent = world.open_records(), world.open_batches(), len(world.sent)
        again = Process(world, "resend")
        assert again.run(), step
        assert not world.parked
        everything = {record.place for record in world.records}
        assert set(world.accepted) | set(world.dead) == everything
        assert {place for place, times in world.accepted.items() if times > 1} <= under_way
        assert batches <= set(world.sent[sent:])
        assert balanced(again)


def test_a_lost_answer_is_put_aside_and_the_rest_goes_on() -> None:
    world = World([Record((0, n), "a") for n in range(6)], (LOSE,))
    process = Process(world)
    assert process.run()
    assert sorted(world.parked) == [(0, 0), (0, 1), (0, 2)]
    assert (process.books.in_doubt, process.books.delivered) == (3, 3)


def test_success_not_said_is_in_doubt_and_never_split() -> None:
    world = World([Record((0, n), "a") for n in range(3)], (NO_SUCCESS,))
    process = Process(world)
    assert process.run()
    assert len(world.sent) == 1
    assert sorted(world.parked) == [(0, 0), (0, 1), (0, 2)]


def test_entries_of_a_topic_made_anew_do_not_hide_its_records() -> None:
    world = World([Record((0, n), "old") for n in range(3)])
    assert Process(world).run()
    assert world.journal, "the entry is still there: nothing was written since the commit passed it"
    reborn = World([Record((0, n), "new") for n in range(3)], journal=world.journal, topic_id="the second")
    process = Process(reborn)
    assert process.run()
    assert sorted(reborn.accepted) == [(0, 0), (0, 1), (0, 2)]
    assert (process.books.settled_before, process.books.delivered) == (0, 3)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_offsets_set_back_send_nothing_again(script: tuple[str, ...]) -> None:
    """After each commit, the offsets are set back to the beginning, however far the process had got."""
    for step in range(1, steps_of(script) + 1, 3):
        world = World(RECORDS, script)
        Process(world).run(dies_at=step)
        world.committed.clear()
        again = Process(world)
        assert again.run()
        world.committed.clear()
        last, sent = Process(world), len(world.sent)
        assert last.run()
        check(world)
        assert len(world.sent) == sent
        assert last.books.delivered + last.books.in_doubt == 0
        assert balanced(last)


@pytest.mark.parametrize("topic_id", ["the second", None])
def test_the_mark_of_another_topic_hides_nothing(topic_id: str | None) -> None:
    world = World([Record((0, n), "old") for n in range(6)])
    assert Process(world).run()
    assert any(entry.state is State.PASSED for entry in world.journal.values())
    reborn = World([Record((0, n), "new") for n in range(6)], journal=world.journal, topic_id=topic_id)
    assert Process(reborn).run()
    assert len(reborn.accepted) == 6


def test_records_gone_from_the_topic_do_not_keep_the_others_waiting() -> None:
    world = World([Record((0, n), "a") for n in range(6)])
    step = 0
    while not world.open_records():
        step += 1
        world = World(world.records)
        Process(world).run(dies_at=step)
    world.records = world.records[1:]
    assert Process(world).run()
    assert sorted(world.parked) == [(0, 1), (0, 2)]
    assert sorted(world.accepted) == [(0, 3), (0, 4), (0, 5)]


def test_what_is_parked_is_parked_once_and_never_sent() -> None:
    world = World(RECORDS)
    assert Process(world, parks="b").run()
    theirs = sorted(record.place for record in RECORDS if record.app == "b" and not record.noise)
    assert sorted(world.moved) == theirs
    for step in range(1, world.steps + 1):
        world = World(RECORDS)
        Process(world, parks="b").run(dies_at=step)
        moved = set(world.moved)
        again = Process(world, parks="b")
        assert again.run(), step
        assert sorted(world.moved) == theirs, step
        assert not set(theirs) & set(world.accepted), step
        assert moved <= set(world.moved)
        assert balanced(again), step


@settings(max_examples=150)
@given(
    records=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.integers(0, 9), st.integers(1, 3)),
        max_size=30,
    ),
    script=st.lists(st.sampled_from((ACCEPT, ACCEPT, LOSE, LOSE_UNTAKEN, DOWN, NO_SUCCESS)), max_size=12),
    deaths=st.lists(st.integers(1, 120), max_size=5),
)
def test_any_records_any_answers_any_deaths(
    records: list[tuple[int, str, int, int]], script: list[str], deaths: list[int]
) -> None:
    next_offset = [0, 0, 0]
    made = []
    for partition, app, luck, hole in records:
        made.append(Record((partition, next_offset[partition]), app, bad=luck == 0, noise=luck == 1))
        next_offset[partition] += hole
    world = World(made, tuple(script))
    for step in deaths:
        if Process(world).run(dies_at=step):
            break
    final = Process(world)
    assert final.run()
    check(world)
    assert balanced(final)
