"""Places of records are told apart exactly, however many share a block."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka.origins import Origin, OriginSet

ORIGINS = st.builds(
    Origin,
    st.integers(0, 3) | st.integers(0, 2**31 - 1),
    st.integers(0, 600) | st.integers(0, 2**62),
    st.integers(-1, 3) | st.integers(0, 2**43),
)


@given(st.lists(ORIGINS), ORIGINS)
def test_it_holds_what_was_put_in(origins: list[Origin], other: Origin) -> None:
    held = OriginSet()
    known: set[Origin] = set()
    for origin in origins:
        near = {each for each in known if each[:2] == origin[:2] and each[2] >> 12 == origin[2] >> 12}
        assert held.add(origin) == (not near)
        known.add(origin)
        assert origin in held
    same = {each for each in known if each[:2] == other[:2] and each[2] >> 12 == other[2] >> 12}
    assert (other in held) == bool(same)


def test_a_topic_made_anew_has_other_records_at_the_same_offsets() -> None:
    held = OriginSet()
    assert held.add(Origin(0, 7, 1_767_225_600_000))
    assert not held.add(Origin(0, 7, 1_767_225_600_000))
    assert Origin(0, 7, 1_767_225_700_000) not in held


def test_neighbours_share_a_block() -> None:
    held = OriginSet()
    for offset in range(10_240):
        held.add(Origin(0, offset, 1_767_225_600_000))
    assert len(held._blocks) == 40
