"""Settings of sources that read by time."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from bridge.core.by_time import SECOND, Bounds

_MINUTE = 60 * SECOND
DAY = 24 * 60 * _MINUTE
"""In milliseconds."""

OverlapMinutes = Annotated[
    int,
    Field(
        ge=0,
        le=10080,
        description="How late something may show up, in minutes: that much is read again in each round, and "
        "only what is new or changed goes out. What shows up later than that is missed.",
    ),
]


class ByTimeOptions(BaseModel):
    """From where to where such a source reads."""

    start: AwareDatetime | None = Field(
        default=None,
        description="Where the first round begins: a time with its zone such as 2026-01-31T00:00:00Z. "
        "null = lookback_days ago.",
    )
    lookback_days: int = Field(
        default=7, ge=0, le=3650, description="How many days back the first round begins, without a start."
    )
    overlap_minutes: OverlapMinutes = 30
    max_window_days: int = Field(
        default=30, ge=1, le=3650, description="The longest range that the API answers for, in days."
    )

    def bounds(self) -> Bounds:
        """These settings in milliseconds."""
        return Bounds(
            start=int(self.start.timestamp()) * SECOND if self.start is not None else None,
            lookback=self.lookback_days * DAY,
            overlap=self.overlap_minutes * _MINUTE,
            max_window=self.max_window_days * DAY,
        )
