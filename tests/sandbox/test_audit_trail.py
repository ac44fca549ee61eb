from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.sandbox import AuditPlan
from bridge.sandbox.audit_trail import PlannedTrail, in_order

NOW = 1_767_225_600.0
PLANS = st.builds(
    AuditPlan,
    per_second=st.sampled_from([0.1, 3.0, 20_000.0]),
    history_events=st.integers(0, 60),
    total=st.none() | st.integers(0, 60),
    late_share=st.sampled_from([0.0, 0.5, 1.0]),
)


@settings(max_examples=60)
@given(PLANS, st.integers(0, 5), st.floats(0, 100))
def test_halving_finds_what_looking_at_every_event_finds(plan: AuditPlan, seed: int, later: float) -> None:
    trail = PlannedTrail(plan, seed, NOW)
    now = NOW + min(later, 60 / plan.per_second)
    limit = 200 if plan.total is None else plan.total
    so_far = [entry for entry in map(trail.entry, range(limit)) if entry.time <= now * 1000]
    assert so_far == sorted(so_far, key=in_order)
    assert trail.occurred(now) == len(so_far)
    for place, entry in enumerate(so_far):
        assert entry.time / 1000 <= entry.visible_at <= entry.time / 1000 + plan.late_seconds
        assert list(trail.after(in_order(entry), now)) == so_far[place + 1 :]
        assert next(trail.after((entry.time, ""), now)).time == entry.time


def test_history_is_before_the_start_and_a_begin_is_kept() -> None:
    history = PlannedTrail(AuditPlan(per_second=2, history_events=10), 0, NOW)
    assert [history.occurred(NOW - 5.1), history.occurred(NOW)] == [0, 10]
    begun = PlannedTrail(AuditPlan(per_second=2, begin=NOW - 100, total=150), 0, NOW)
    assert [begun.occurred(NOW - 100.1), begun.occurred(NOW - 50), begun.occurred(NOW)] == [0, 100, 150]


def test_the_share_that_is_late_is_about_what_was_asked_for() -> None:
    trail = PlannedTrail(
        AuditPlan(per_second=1, history_events=2000, late_share=0.1, late_seconds=60), 0, NOW
    )
    delays = [entry.visible_at - entry.time / 1000 for entry in map(trail.entry, range(2000))]
    late = [delay for delay in delays if delay > 0]
    assert 150 < len(late) < 250
    assert max(late) > 55


def test_a_million_events_are_far_from_being_looked_at_one_by_one() -> None:
    trail = PlannedTrail(AuditPlan(per_second=100, history_events=10**10), 0, NOW)
    assert trail.occurred(NOW) == 10**10
    entry = trail.entry(10**10 - 2)
    assert [found.id for found in trail.after(in_order(entry), NOW)] == [f"event-{10**10 - 1:010d}"]


def test_the_seed_decides() -> None:
    def ids(seed: int) -> list[int]:
        trail = PlannedTrail(AuditPlan(per_second=1, history_events=20), seed, NOW)
        return [entry.time for entry in map(trail.entry, range(20))]

    assert ids(1) == ids(1) != ids(2)
