from hypothesis import given
from hypothesis import strategies as st

from bridge.sandbox.identities import Identities


@given(st.lists(st.lists(st.text(max_size=3)), max_size=20))
def test_counts_agree_with_a_set(batches: list[list[str]]) -> None:
    identities, model = Identities(10_000), set[str]()
    for batch in batches:
        before = len(model)
        model.update(batch)
        assert identities.add_all(batch) == len(model) - before
    assert len(identities) == len(model)
    assert identities.exact


@given(st.lists(st.text(max_size=2)), st.integers(0, 5))
def test_the_bound_holds_and_says_so(keys: list[str], limit: int) -> None:
    identities = Identities(limit)
    identities.add_all(keys)
    assert len(identities) == min(limit, len(set(keys)))
    assert identities.exact == (len(set(keys)) <= limit)


def test_growing_loses_nothing() -> None:
    """Every shard doubles several times: 256 of them begin with 64 slots, 16,384 in all."""
    identities = Identities(3_000_000)
    keys = [str(number) for number in range(200_000)]
    assert identities.add_all(keys) == len(keys)
    assert identities.add_all(keys) == 0
    assert identities.bytes_held() <= 24 * len(keys)
