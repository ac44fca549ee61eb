"""The balance sheet: what was produced, against what the sandbox and the dead-letter topic say they have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bridge.demo.samples import ACTS

ANSWER_SECONDS = 30.0  # far more than it takes, but on a machine that is busy with other things


@dataclass(frozen=True, slots=True)
class Sheet:
    """One stream's books, each column from its own witness.

    `produced`: acknowledged to the producer. `delivered`: what the sandbox API accepted, once each.
    `dead_lettered`: records on the dead-letter topic. `superseded`, `outstanding`: the bridge's own word.
    `sent_twice`: records that the API saw again, which changes nothing for a stream that may be resent.
    """

    produced: int
    delivered: int
    dead_lettered: int
    superseded: int
    outstanding: int
    sent_twice: int

    @property
    def balanced(self) -> bool:
        """Whether every record produced is accounted for, and nothing is left over."""
        settled = self.delivered + self.dead_lettered + self.superseded
        return self.produced == settled and self.outstanding == 0


def accepted(state: Mapping[str, Any], stream: str) -> tuple[int, int]:
    """Records that the sandbox took of a stream, of any app or none, and how many of those came again."""
    held = (*state["apps"].values(), state["company"])
    act, figures = ACTS[stream], [each[stream] for each in held if stream in each]
    return sum(map(act.delivered, figures)), sum(map(act.again, figures))


def records_on(bootstrap: str, topic: str) -> int:
    """How many records a topic holds, asked of Kafka."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "balance-sheet"})
    try:
        partitions = consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic].partitions
        parts = [TopicPartition(topic, partition) for partition in partitions]
        marks = [consumer.get_watermark_offsets(part, timeout=ANSWER_SECONDS) for part in parts]
        return sum(high - low for low, high in marks if high > 0)
    finally:
        consumer.close()


def table(sheets: Mapping[str, Sheet]) -> Table:
    """The balance sheet for a terminal."""
    shown = Table(title="Balance sheet", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("stream")
    for column in ("produced", "delivered", "dead", "superseded", "outstanding", "resent"):
        shown.add_column(column, justify="right")
    shown.add_column("balanced")
    for stream, sheet in sheets.items():
        numbers = (
            sheet.produced,
            sheet.delivered,
            sheet.dead_lettered,
            sheet.superseded,
            sheet.outstanding,
            sheet.sent_twice,
        )
        shown.add_row(stream, *(f"{n:,}" for n in numbers), "yes" if sheet.balanced else "NO")
    return shown
