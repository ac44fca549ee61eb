"""The plan of a soak: repeatable, and everything in it."""

from itertools import islice, pairwise

from tests.matrix.cells import Answer, Disturbance
from tests.soak.plan import IN_TURN, LONGEST_HOLD, POISON, turns

APPS = ("crm", "wiki", "mail")


def test_a_seed_makes_the_same_turns_again_and_another_makes_others() -> None:
    first, again, other = (list(islice(turns(seed, APPS), 50)) for seed in (1, 1, 2))
    assert first == again != other


def test_everything_comes_once_before_anything_comes_again() -> None:
    answers, disturbances = len(IN_TURN), len(Disturbance)
    made = list(islice(turns(3, APPS), answers * disturbances))
    for begin in range(0, len(made), answers):
        assert {turn.answer for turn in made[begin : begin + answers]} == set(IN_TURN)
    for begin in range(0, len(made), disturbances):
        assert {turn.disturbance for turn in made[begin : begin + disturbances]} == set(Disturbance)
    assert set(Answer) - set(IN_TURN) - set(POISON) == {Answer.NO_SUCCESS}


def test_an_app_breaks_for_some_turns_and_is_mended() -> None:
    made = list(islice(turns(4, APPS), 400))
    broken = [turn.broken for turn in made]
    changes = sum(before != after for before, after in pairwise(broken))
    assert 0 < broken.count(None) < len(broken)
    assert changes < len(broken) / 2
    assert {each[0] for each in broken if each} == set(APPS)


def test_bursts_come_at_times_and_no_turn_is_long() -> None:
    made = list(islice(turns(5, APPS), 400))
    assert 0 < sum(turn.burst > 0 for turn in made) < 200
    assert all(0 < turn.hold <= LONGEST_HOLD for turn in made)
