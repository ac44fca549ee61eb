"""One process at a time: the next has its turn when the one before it leaves, and not earlier."""

import threading

import pytest

from bridge.core.errors import BridgeError
from bridge.kafka.turn import Turn
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

# The mock cluster forgets to hand on what a member had that left while others were joining.
pytestmark = pytest.mark.real_kafka


def test_turns_do_not_overlap(kafka: Cluster[Broker]) -> None:
    topic, group = kafka.create_topic("turns", 1), kafka.unique("turns")
    inside: list[int] = []
    most: list[int] = []
    waiting = threading.Barrier(3, timeout=60)

    def work(number: int) -> None:
        turn = Turn({"bootstrap.servers": kafka.bootstrap}, topic, group, seconds=90)
        waiting.wait()
        turn.take()
        inside.append(number)
        most.append(len(inside))
        done.wait(1.5)  # long enough for the others to come in, if they could
        inside.remove(number)
        turn.give_back()

    done = threading.Event()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert most == [1, 1, 1]


def test_whoever_waits_too_long_is_told_and_leaves(kafka: Cluster[Broker]) -> None:
    topic, group = kafka.create_topic("turns", 1), kafka.unique("turns")
    settings = {"bootstrap.servers": kafka.bootstrap}
    first = Turn(settings, topic, group, seconds=60)
    first.take()
    with pytest.raises(BridgeError, match=f"not our turn within 0.5 s: another member of the group {group}"):
        Turn(settings, topic, group, seconds=0.5).take()
    first.give_back()
    last = Turn(settings, topic, group, seconds=60)
    last.take()
    last.give_back()
