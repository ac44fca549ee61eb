"""The books of a stream: every record received is in exactly one column, always."""

from dataclasses import dataclass


@dataclass(slots=True)
class Books:
    """Counts of records since the process started.

    `superseded`: not sent, as another record stands for it: an identical one sent with it, or a newer
    snapshot. `handed_over`: given up with its partition while outstanding, and read again by the next owner.
    `in_doubt`: sent, the answer lost, and kept on the in-doubt topic. `settled_before`: read again, but
    settled earlier, as the journal knows. `parked`: put on the parking topic, and in the books of who reads
    that from there.
    `batches`: accepted by the API.
    """

    received: int = 0
    delivered: int = 0
    dead_lettered: int = 0
    superseded: int = 0
    handed_over: int = 0
    in_doubt: int = 0
    settled_before: int = 0
    parked: int = 0
    batches: int = 0

    def balance(self, outstanding: int) -> bool:
        """Whether the columns add up to what was received."""
        return self.received == self.settled + self.handed_over + outstanding

    @property
    def settled(self) -> int:
        """Records that need nothing more from this process."""
        sent = self.delivered + self.dead_lettered + self.superseded
        return sent + self.in_doubt + self.settled_before + self.parked
