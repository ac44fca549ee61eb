"""What librdkafka tells of a consumer every few seconds, as far as somebody on call can use it."""

from collections.abc import Mapping
from typing import Any

import orjson

INTERVAL = "statistics.interval.ms"
INTERVAL_MS = 5000

_COORDINATOR = "GroupCoordinator"
_UP = "UP"
_FAILING = {"DOWN", "TRY_CONNECT", "CONNECT"}  # a broker that nothing is wanted of is in INIT
_IN_USE = {"learned", "logical"}  # the addresses to begin with are not: they may be those of nobody


class Statistics:
    """To be a consumer's `stats_cb`. What it holds is of the last telling; None before the first."""

    round_trip: float | None = None
    """Seconds of a round trip to the group's coordinator, the median of an interval.

    Of all brokers the coordinator alone answers at once: the others keep a fetch until there are records.
    """
    connections: int | None = None
    failing: int | None = None
    """Connections to brokers, and those that are wanted and cannot be had."""
    fetched: int | None = None
    """Records fetched from the brokers that the bridge has not taken yet."""
    disconnects: int | None = None
    """Connections that ended since the client was made."""

    def __call__(self, text: str) -> None:
        """Takes one telling (librdkafka, STATISTICS.md)."""
        told = orjson.loads(text)
        brokers: Mapping[str, Any] = told["brokers"]
        in_use = [broker["state"] for broker in brokers.values() if broker["source"] in _IN_USE]
        self.connections = sum(broker["state"] == _UP for broker in brokers.values())
        self.failing = sum(state in _FAILING for state in in_use)
        self.disconnects = sum(broker["disconnects"] for broker in brokers.values())
        self.fetched = sum(
            partition["fetchq_cnt"]
            for topic in told["topics"].values()
            for partition in topic["partitions"].values()
        )
        rtt = brokers.get(_COORDINATOR, {}).get("rtt", {})
        if rtt.get("cnt"):  # none in this interval: the last one stays
            self.round_trip = rtt["p50"] / 1e6
