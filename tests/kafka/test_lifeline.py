"""A client that waits for Kafka is left alone, one that is lost for good is found out."""

import pytest

from bridge.kafka.lifeline import BETWEEN_SECONDS, LOST_SECONDS, ClientLost, Lifeline


class Place:
    """A time, and whether Kafka is there for a client that is new."""

    now = 0.0
    there = True
    asked = 0

    def lifeline(self, **settings: str) -> Lifeline:
        return Lifeline(settings, lambda: self.now, lambda _: self._ask())

    def unanswered_for(self, lifeline: Lifeline, seconds: float) -> None:
        """The client asks once a second, in vain."""
        for _ in range(int(seconds)):
            lifeline.unanswered()
            self.now += 1

    def _ask(self) -> bool:
        self.asked += 1
        return self.there


def test_a_client_is_lost_when_a_new_one_has_answers_for_long_enough() -> None:
    place = Place()
    lifeline = place.lifeline()
    place.unanswered_for(lifeline, LOST_SECONDS)
    with pytest.raises(ClientLost):
        place.unanswered_for(lifeline, 2 * BETWEEN_SECONDS)
    assert place.asked <= LOST_SECONDS / BETWEEN_SECONDS + 2


def test_as_long_as_nobody_has_an_answer_no_client_is_lost() -> None:
    place = Place()
    lifeline = place.lifeline()
    for place.there in (False, True, False, True):
        place.unanswered_for(lifeline, LOST_SECONDS - BETWEEN_SECONDS)


def test_an_answer_starts_the_time_anew() -> None:
    place = Place()
    lifeline = place.lifeline()
    for _ in range(3):
        place.unanswered_for(lifeline, LOST_SECONDS - BETWEEN_SECONDS)
        lifeline.answered()


def test_who_may_wait_longer_between_tries_to_connect_has_longer() -> None:
    place = Place()
    lifeline = place.lifeline(**{"reconnect.backoff.max.ms": "60000"})
    place.unanswered_for(lifeline, 119)
    with pytest.raises(ClientLost):
        place.unanswered_for(lifeline, 10)
