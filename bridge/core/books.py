"""The books of a stream: every record received is in exactly one column, always."""

from dataclasses import dataclass


@dataclass(slots=True)
class Books:
    """Counts of records since the process started.

    `superseded`: not sent, as another record stands for it: an identical one sent with it, or a newer
    snapshot. `handed_over`: given up with its partition while outstanding, and read again by the next owner.
    `batches`: accepted by the API.
    """

    received: int = 0
    delivered: int = 0
    dead_lettered: int = 0
    superseded: int = 0
    handed_over: int = 0
    batches: int = 0

    def balance(self, outstanding: int) -> bool:
        """Whether the columns add up to what was received."""
        settled = self.delivered + self.dead_lettered + self.superseded
        return self.received == settled + self.handed_over + outstanding
