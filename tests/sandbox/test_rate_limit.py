from bridge.sandbox.rate_limit import RateLimit
from tests.sandbox.conftest import Start
from tests.sandbox.driver import Hands, event


def test_a_burst_passes_and_then_the_rate() -> None:
    hands = Hands()
    limit = RateLimit(4, hands.clock)
    assert [limit.refuse_for() for _ in range(5)] == [None, None, None, None, 0.25]
    hands.now += 0.25
    assert limit.refuse_for() is None
    assert limit.refuse_for() == 0.25
    assert limit.violations == 2


def test_rest_saves_up_one_burst_and_no_more() -> None:
    hands = Hands()
    limit = RateLimit(2, hands.clock)
    hands.now += 100
    assert [limit.refuse_for() for _ in range(3)] == [None, None, 0.5]


def test_less_than_one_a_second_lets_the_first_pass() -> None:
    hands = Hands()
    limit = RateLimit(0.5, hands.clock)
    assert limit.refuse_for() is None
    assert limit.refuse_for() == 2


def test_a_clock_set_back_takes_nothing_away() -> None:
    hands = Hands()
    limit = RateLimit(2, hands.clock)
    limit.refuse_for()
    hands.now -= 50
    assert limit.refuse_for() is None


def test_over_the_limit_is_429_and_counted_and_tokens_are_free(start: Start, hands: Hands) -> None:
    driver = start(rate_limit=2)
    driver.login()
    answers = [driver.publish([event(n)]) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert driver.usage()["accepted"] == 2
    assert driver.state()["rate_limit"] == {"requests_per_second": 2, "violations": 1}
    hands.now += 0.5
    assert driver.publish([event(9)]).status_code == 200
    driver.http.post("/_sandbox/reset")
    assert driver.state()["rate_limit"]["violations"] == 0
