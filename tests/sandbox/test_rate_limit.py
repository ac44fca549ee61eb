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


def test_the_most_in_any_one_second_slides_and_counts_the_refused() -> None:
    hands = Hands()
    limit = RateLimit(2, hands.clock)
    for seconds in (0, 0.75, 0.125, 0.125, 5, 0.5):
        hands.now += seconds
        limit.refuse_for()
    assert limit.most_in_a_second == 3, "the one at 0 is a whole second before the one at 1"
    hands.now -= 50
    assert [limit.refuse_for() for _ in range(4)].count(None) < 4
    assert limit.most_in_a_second == 4
    limit.reset()
    assert limit.most_in_a_second == 0


SUMMARIES = "/services/export/v1/customer/app-summaries"


def test_calls_that_read_share_a_limit_of_their_own(start: Start) -> None:
    driver = start()
    paths = [SUMMARIES, SUMMARIES.replace("app-summaries", "audit-events")]
    answers = [driver.call("GET", paths[number % 2]) for number in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert answers[20].headers["retry-after"] == "1"
    assert driver.publish([event()]).status_code == 200
    figures = {"requests_per_second": 20, "violations": 1, "most_in_a_second": 21}
    assert driver.state()["export_rate_limit"] == figures
    assert driver.state()["rate_limit"] is None
    driver.http.post("/_sandbox/reset")
    assert driver.state()["export_rate_limit"] == {**figures, "violations": 0, "most_in_a_second": 0}


def test_calls_that_read_may_have_no_limit_of_their_own_and_share_the_general_one(start: Start) -> None:
    driver = start(export_rate_limit=None, rate_limit=30)
    assert [driver.call("GET", SUMMARIES).status_code for _ in range(31)] == [200] * 30 + [429]
    assert driver.state()["export_rate_limit"] is None


def test_over_the_limit_is_429_and_counted_and_tokens_are_free(start: Start, hands: Hands) -> None:
    driver = start(rate_limit=2)
    driver.login()
    answers = [driver.publish([event(n)]) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert driver.usage()["accepted"] == 2
    figures = {"requests_per_second": 2, "violations": 1, "most_in_a_second": 3}
    assert driver.state()["rate_limit"] == figures
    hands.now += 0.5
    assert driver.publish([event(9)]).status_code == 200
    driver.http.post("/_sandbox/reset")
    assert driver.state()["rate_limit"]["violations"] == 0
