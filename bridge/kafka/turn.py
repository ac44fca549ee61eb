"""Lets one process at a time do something that must not be done twice, with Kafka as the judge."""

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from bridge.core.errors import BridgeError
from bridge.telemetry.logs import librdkafka_logger

SECONDS = 120.0  # a new group takes 3 s to form, and whoever is before us may talk to the API for a while
_POLL_SECONDS = 0.1

FIXED: dict[str, str | bool] = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    # Not the cooperative one: when another process joins, whoever has its turn must agree to give it up, and
    # as it does not poll until it is done, the other waits. Kafka waits for max.poll.interval.ms (5 minutes).
    "partition.assignment.strategy": "range",
}


class Turn:
    """A turn belongs to the member of `group` that is given partition 0 of `topic`, which it never reads.

    The other members wait until it leaves or dies.
    """

    def __init__(self, settings: Mapping[str, Any], topic: str, group: str, seconds: float = SECONDS) -> None:
        self._settings = {**settings, **FIXED, "group.id": group}
        self._topic = topic
        self._group = group
        self._seconds = seconds
        self._mine = False

    def take(self) -> None:
        """Returns once it is our turn.

        Raises:
            BridgeError: that took longer than `seconds`, or Kafka refuses the group.
        """
        self._kafka = Consumer(self._settings, logger=librdkafka_logger())
        try:
            self._kafka.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked)
            until = time.monotonic() + self._seconds
            while not self._mine:
                if time.monotonic() > until:
                    raise BridgeError(
                        f"it was not our turn within {self._seconds:g} s: another member of the group "
                        f"{self._group} is at work, or Kafka does not answer; try again"
                    )
                self._kafka.poll(_POLL_SECONDS)
        except (BridgeError, KafkaException) as error:
            self.give_back()
            if isinstance(error, KafkaException):
                raise BridgeError(f"the group {self._group}: {error.args[0].str()}") from None
            raise

    def give_back(self) -> None:
        """Leaves the group, so that the next one has its turn."""
        self._kafka.close()
        self._mine = False

    def _assigned(self, kafka: Consumer, partitions: list[TopicPartition]) -> None:
        self._mine = any(each.partition == 0 for each in partitions)
        kafka.assign(partitions)
        kafka.pause(partitions)  # what is in the topic is not for us

    def _revoked(self, kafka: Consumer, partitions: list[TopicPartition]) -> None:
        self._mine = False
        kafka.unassign()
