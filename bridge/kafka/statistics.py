"""What librdkafka tells of a consumer every few seconds, as far as somebody on call can use it."""

from collections.abc import Mapping
from typing import Any

import orjson

INTERVAL = "statistics.interval.ms"
INTERVAL_MS = 5000

_COORDINATOR = "GroupCoordinator"
_NOT_CONNECTED = {"DOWN", "TRY_CONNECT", "CONNECT"}  # a broker that nothing is wanted of is in INIT
_UP = "UP"


class Statistics:
    """To be a consumer's `stats_cb`. What it holds is of the last telling; None before the first."""

    round_trip: float | None = None
    """Seconds of a round trip to the group's coordinator, the median of an interval.

    Of all brokers the coordinator alone answers at once: the others keep a fetch until there are records.
    """
    brokers_up: int | None = None
    brokers_down: int | None = None
    """Brokers with a connection, and brokers that one is wanted to and cannot be had."""
    fetched: int | None = None
    """Records fetched from the brokers that the bridge has not taken yet."""
    disconnects: int | None = None
    """Connections that ended since the client was made."""

    def __call__(self, text: str) -> None:
        """Takes one telling (librdkafka, STATISTICS.md)."""
        told = orjson.loads(text)
        brokers: Mapping[str, Any] = told["brokers"]
        named = [broker for broker in brokers.values() if broker["nodeid"] >= 0]
        self.brokers_up = sum(broker["state"] == _UP for broker in named)
        self.brokers_down = sum(broker["state"] in _NOT_CONNECTED for broker in named)
        self.disconnects = sum(broker["disconnects"] for broker in brokers.values())
        self.fetched = sum(
            partition["fetchq_cnt"]
            for topic in told["topics"].values()
            for partition in topic["partitions"].values()
        )
        rtt = brokers.get(_COORDINATOR, {}).get("rtt", {})
        if rtt.get("cnt"):  # none in this interval: the last one stays
            self.round_trip = rtt["p50"] / 1e6
